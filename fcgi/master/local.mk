noinst_LIBRARIES += libmaster.a
libmaster_a_SOURCES = \
	%D%/bequest.c %D%/bequest.h \
	%D%/child.c %D%/child.h \
	%D%/crew.c %D%/crew.h \
	%D%/descriptor.c %D%/descriptor.h \
	%D%/estate.c %D%/estate.h \
	%D%/heir.c %D%/heir.h \
	%D%/identity.c %D%/identity.h \
	%D%/listen.c %D%/listen.h \
	%D%/master_main.c %D%/master_main.h \
	%D%/notify.c %D%/notify.h \
	%D%/pidfile.c %D%/pidfile.h \
	%D%/role.c %D%/role.h \
	%D%/settings.c %D%/settings.h \
	%D%/sizing.c %D%/sizing.h \
	%D%/throttle.c %D%/throttle.h

sbin_PROGRAMS += berthd
berthd_SOURCES = %D%/berthd_main.c
berthd_LDADD = $(BERTH_LIBS)
