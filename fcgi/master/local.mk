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
	%D%/master.h \
	%D%/master_main.c %D%/master_main.h \
	%D%/notify.c %D%/notify.h \
	%D%/pidfile.c %D%/pidfile.h \
	%D%/reload.c %D%/reload.h \
	%D%/role.c %D%/role.h \
	%D%/settings.c %D%/settings.h \
	%D%/sizing.c %D%/sizing.h \
	%D%/standing.c %D%/standing.h \
	%D%/startup.c %D%/startup.h \
	%D%/stop.c %D%/stop.h \
	%D%/team.c %D%/team.h \
	%D%/throttle.c %D%/throttle.h \
	%D%/upgrade.c %D%/upgrade.h

sbin_PROGRAMS += berthd
berthd_SOURCES = %D%/berthd_main.c
berthd_LDADD = $(BERTH_LIBS)

EXTRA_DIST += %D%/README.md
