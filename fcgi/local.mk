# %D% is this directory. Layers: base ← conf, ipc, db ← processes; a process never uses another one's files.

noinst_LIBRARIES += libcommon.a
libcommon_a_SOURCES = \
	%D%/base/buf.c %D%/base/buf.h \
	%D%/base/clock.c %D%/base/clock.h \
	%D%/base/cmdline.c %D%/base/cmdline.h \
	%D%/base/defs.h \
	%D%/base/err.c %D%/base/err.h \
	%D%/base/fd.c %D%/base/fd.h \
	%D%/base/fields.c %D%/base/fields.h \
	%D%/base/histogram.c %D%/base/histogram.h \
	%D%/base/leb128.c %D%/base/leb128.h \
	%D%/base/log.c %D%/base/log.h \
	%D%/base/mem.c %D%/base/mem.h \
	%D%/base/secret.c %D%/base/secret.h \
	%D%/base/utf8.c %D%/base/utf8.h \
	%D%/base/uuid.c %D%/base/uuid.h \
	%D%/conf/conf.c %D%/conf/conf.def %D%/conf/conf.h \
	%D%/conf/language.c %D%/conf/language.h \
	%D%/ipc/cgroup_fds.c %D%/ipc/cgroup_fds.h \
	%D%/ipc/counter.def \
	%D%/ipc/fdpass.c %D%/ipc/fdpass.h \
	%D%/ipc/frame.c %D%/ipc/frame.h \
	%D%/ipc/gauge.def \
	%D%/ipc/heritage.c %D%/ipc/heritage.h \
	%D%/ipc/ipc.c %D%/ipc/ipc.h %D%/ipc/ipc_msg.def \
	%D%/ipc/pulse.c %D%/ipc/pulse.h \
	%D%/ipc/record.c %D%/ipc/record.def %D%/ipc/record.h \
	%D%/ipc/scoreboard.c %D%/ipc/scoreboard.h \
	%D%/ipc/spec.c %D%/ipc/spec.def %D%/ipc/spec.h \
	%D%/ipc/spool_file.c %D%/ipc/spool_file.h \
	%D%/ipc/tally.c %D%/ipc/tally.h

include %D%/db/local.mk
include %D%/worker/local.mk
include %D%/poolmgr/local.mk
include %D%/collector/local.mk
include %D%/warden/local.mk
include %D%/status/local.mk
include %D%/entry/local.mk
include %D%/master/local.mk
