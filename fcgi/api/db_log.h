/* What PostgreSQL is up to, for the operator: one line in the log when it goes away, and one when it is back. */
#ifndef API_DB_LOG_H
#define API_DB_LOG_H

struct db;

/* To be called after each request, or each round of a loop: says what has changed since the last call (db_news in db/db.h). */
void db_log_news(struct db *db);

#endif
