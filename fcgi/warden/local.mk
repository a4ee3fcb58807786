noinst_LIBRARIES += libwarden.a
libwarden_a_SOURCES = \
	%D%/warden.c %D%/warden.h \
	%D%/warden_main.c
