/*
 * What an earlier process left in the package cache: what is whole is listed (cache.h), what is half unpacked or was to be
 * removed goes, unless another poolmgr is at work on it. In a thread; meanwhile packages are unpacked and used.
 */
#ifndef POOLMGR_PACKAGE_SURVEY_H
#define POOLMGR_PACKAGE_SURVEY_H

/* Lists anew what is in the directory that is open (cache_files.h), and makes room. */
void survey_begin(void);

#endif
