# %D% is this directory. One library for each room; what stands below is above in this list.
include %D%/base/local.mk
include %D%/conf/local.mk
include %D%/ipc/local.mk
include %D%/db/local.mk
include %D%/http/local.mk
include %D%/run/local.mk
include %D%/worker/local.mk
include %D%/invoke/local.mk
include %D%/api/local.mk
include %D%/control/local.mk
include %D%/follow/local.mk
include %D%/poolmgr/local.mk
include %D%/collector/local.mk
include %D%/warden/local.mk
include %D%/status/local.mk
include %D%/entry/local.mk
include %D%/master/local.mk
