# The runtimes a function can name: a folder and a row in driver.c each.
noinst_LIBRARIES += libdrivers.a
libdrivers_a_SOURCES = \
	%D%/driver.c %D%/driver.h \
	%D%/docker/docker_driver.c \
	%D%/gvisor/gvisor_driver.c

# Docker Engine, which runs the sandboxes of all of them: for poolmgr.
noinst_LIBRARIES += libengine.a
libengine_a_SOURCES = \
	%D%/engine/docker.c %D%/engine/docker.h \
	%D%/engine/docker_container.c \
	%D%/engine/docker_http.c %D%/engine/docker_http.h

# The launcher runs in images that may have no libc of ours: static, and without sanitizers, which cannot be.
launcherdir = $(pkglibexecdir)/runtimes
launcher_PROGRAMS = %D%/launcher/launcher
%C%_launcher_launcher_SOURCES = %D%/launcher/launcher.c
%C%_launcher_launcher_CFLAGS = -std=gnu17 $(WARN_CFLAGS) -fstack-protector-strong
%C%_launcher_launcher_LDFLAGS = -static
%C%_launcher_launcher_LDADD =

# A language is a folder: its agent, runtime.json, and the recipe of the image of each version for scripts/images.
languagesdir = $(pkglibexecdir)
nobase_dist_languages_DATA = \
	%D%/javascript/advice.js %D%/javascript/agent.js %D%/javascript/errors.js %D%/javascript/handler.js \
	%D%/javascript/lambda.js %D%/javascript/log.js %D%/javascript/originals.js \
	%D%/javascript/rehearsal/commonjs.js %D%/javascript/rehearsal/module.mjs \
	%D%/javascript/resources.js %D%/javascript/streaming.js \
	%D%/javascript/image/18 %D%/javascript/image/22 %D%/javascript/image/24 %D%/javascript/runtime.json \
	%D%/python/agent.py %D%/python/berth_agent/__init__.py %D%/python/berth_agent/context.py \
	%D%/python/berth_agent/errors.py %D%/python/berth_agent/frames.py %D%/python/berth_agent/handler.py \
	%D%/python/berth_agent/log.py %D%/python/berth_agent/values.py \
	%D%/python/image/3.11 %D%/python/image/3.13 %D%/python/runtime.json
