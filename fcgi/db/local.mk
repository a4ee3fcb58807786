noinst_LIBRARIES += libdb.a
libdb_a_SOURCES = %D%/db.c %D%/db.h %D%/db_functions.c %D%/db_functions.h
