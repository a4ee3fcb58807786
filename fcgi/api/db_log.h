/* Logs one line when PostgreSQL becomes unavailable, and one when it is back. */
#ifndef API_DB_LOG_H
#define API_DB_LOG_H

struct db;

/*
 * To be called after each request, or in each round of a loop: logs what has changed since the last call (db_news in db/db.h).
 */
void db_log_news(struct db *db);

#endif
