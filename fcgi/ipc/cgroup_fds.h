/* The files of a sandbox's cgroup, in the order they travel: opened by the warden, used by poolmgr and workers. */
#ifndef IPC_CGROUP_FDS_H
#define IPC_CGROUP_FDS_H

enum cgroup_fd {
	CGROUP_FREEZER, /* write: v1 "FROZEN", "THAWED"; v2 "1", "0" */
	CGROUP_CPU,     /* read: processor time used; v1 nanoseconds, v2 "usage_usec N" and more lines */
	CGROUP_MEMORY, /* read: the most memory used, bytes; write "0": from now on. Some kernels only know less: worker/meter.h
			*/
	CGROUP_OOM,    /* read: a line "oom_kill N" */
	CGROUP_KILL,   /* v1: cgroup.procs, for the warden; v2: write "1" */
	CGROUP_FD_COUNT
};

#endif
