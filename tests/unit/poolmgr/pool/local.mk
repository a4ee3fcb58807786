unit_tests += \
	%D%/test_keep \
	%D%/test_pool \
	%D%/test_room \
	%D%/test_serve \
	%D%/test_supply

%C%_test_keep_SOURCES = %D%/test_keep.c $(stored)
%C%_test_pool_SOURCES = %D%/test_pool.c $(stored) tests/unit/poolmgr/slow_store.c tests/unit/poolmgr/slow_store.h
%C%_test_pool_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
%C%_test_serve_SOURCES = %D%/test_serve.c $(stored) tests/unit/poolmgr/slow_store.c tests/unit/poolmgr/slow_store.h
%C%_test_serve_CPPFLAGS = $(AM_CPPFLAGS) $(PQ_CFLAGS)
%C%_test_supply_SOURCES = %D%/test_supply.c $(stored)
%C%_test_room_SOURCES = %D%/test_room.c $(stored)
