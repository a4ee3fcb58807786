noinst_LIBRARIES += libwarden.a
libwarden_a_SOURCES = \
	%D%/confine.c %D%/confine.h \
	%D%/containerd.c %D%/containerd.h \
	%D%/warden.c %D%/warden.h \
	%D%/warden_main.c

EXTRA_DIST += %D%/README.md
