noinst_LIBRARIES += libmaster.a
libmaster_a_SOURCES = \
	%D%/successor.c %D%/successor.h \
	%D%/master.h \
	%D%/master_main.c %D%/master_main.h \
	%D%/reload.c %D%/reload.h \
	%D%/standing.c %D%/standing.h \
	%D%/startup.c %D%/startup.h \
	%D%/stop.c %D%/stop.h \
	%D%/team.c %D%/team.h \
	%D%/upgrade.c %D%/upgrade.h \
	%D%/children/child.c %D%/children/child.h \
	%D%/children/crew.c %D%/children/crew.h \
	%D%/children/role.c %D%/children/role.h \
	%D%/children/sizing.c %D%/children/sizing.h \
	%D%/children/throttle.c %D%/children/throttle.h \
	%D%/resources/handover.c %D%/resources/handover.h \
	%D%/resources/descriptor.c %D%/resources/descriptor.h \
	%D%/resources/layout.c %D%/resources/layout.h \
	%D%/resources/identity.c %D%/resources/identity.h \
	%D%/resources/listen.c %D%/resources/listen.h \
	%D%/resources/notify.c %D%/resources/notify.h \
	%D%/resources/pidfile.c %D%/resources/pidfile.h \
	%D%/resources/settings.c %D%/resources/settings.h

sbin_PROGRAMS += berthd
berthd_SOURCES = %D%/berthd_main.c
berthd_LDADD = $(BERTH_LIBS)

EXTRA_DIST += %D%/README.md %D%/children/README.md %D%/resources/README.md
