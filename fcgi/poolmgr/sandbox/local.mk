noinst_LIBRARIES += libpoolmgr_sandbox.a
libpoolmgr_sandbox_a_SOURCES = \
	%D%/postmortem.c %D%/postmortem.h \
	%D%/bill.c %D%/bill.h \
	%D%/boot.c %D%/boot.h \
	%D%/cgroup.c %D%/cgroup.h \
	%D%/late.c %D%/late.h \
	%D%/image.c %D%/image.h \
	%D%/renewal.c %D%/renewal.h \
	%D%/freezer.c %D%/freezer.h \
	%D%/sandbox.c %D%/sandbox.h \
	%D%/shim.c %D%/shim.h \
	%D%/stray.c %D%/stray.h \
	%D%/warmup.c %D%/warmup.h

EXTRA_DIST += %D%/README.md
