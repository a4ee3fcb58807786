#include "api/db_problem.h"

#include <errno.h>

#include "base/log.h"

void db_problem(struct problem *problem, const struct err *err, const char *ref)
{
	switch (err->code) {
	case ENOENT:
		problem_set(problem, PROBLEM_NOT_FOUND, NULL, "There is no function '%.128s'", ref);
		return;
	case EEXIST:
		problem_set(problem, PROBLEM_NAME_TAKEN, NULL, "'%.128s' already exists. To update it: PUT /functions/%.128s",
			    ref, ref);
		return;
	case ESTALE:
		problem_set(problem, PROBLEM_VERSION_MISMATCH, NULL,
			    "The function '%.128s' has been changed meanwhile; read it again and repeat the change", ref);
		return;
	case EINPROGRESS:
		log_error("%s", err->msg);
		problem_set(problem, PROBLEM_OUTCOME_UNKNOWN, NULL,
			    "The connection to PostgreSQL broke while the change to '%.128s' was being committed, and could "
			    "not be restored to check. Read the function before you repeat the request",
			    ref);
		return;
	case ENOTCONN: /* db_log_news has logged it */
		problem_set(problem, PROBLEM_STORE_UNAVAILABLE, NULL, "%s", problem_help(PROBLEM_STORE_UNAVAILABLE));
		return;
	case E2BIG:
		problem_set(problem, PROBLEM_INVALID_REQUEST, NULL,
			    "The answer would be too large; choose a longer step or a shorter period");
		return;
	case ETIMEDOUT:
	case EAGAIN:
		log_warn("%s", err->msg);
		problem_set(problem, PROBLEM_STORE_UNAVAILABLE, NULL,
			    "PostgreSQL did not answer in time; ask for less, or retry later");
		return;
	default:
		log_error("%s", err->msg);
		problem_set(problem, PROBLEM_INTERNAL_ERROR, NULL, "PostgreSQL refused the statement; berthd.log says why");
	}
}

void db_problem_respond(struct response *response, const struct err *err, const char *ref)
{
	AUTO(problem_clear) struct problem problem = {0};

	db_problem(&problem, err, ref);
	problem_send(&problem, response);
}
