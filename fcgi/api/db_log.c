#include "api/db_log.h"

#include "base/log.h"
#include "db/db.h"

void db_log_news(struct db *db)
{
	const char *why;

	switch (db_news(db, &why)) {
	case DB_AWAY:
		log_warn("%s", why);
		break;
	case DB_BACK:
		log_info("PostgreSQL is back");
		break;
	case DB_NO_NEWS:
		break;
	}
}
