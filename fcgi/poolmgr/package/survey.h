/*
 * Examines what an earlier process left in the package cache: complete packages are listed (cache.h); incomplete ones and those
 * that were to be removed are removed, unless another poolmgr is working on them. Runs in a thread; meanwhile packages are
 * unpacked and used.
 */
#ifndef POOLMGR_PACKAGE_SURVEY_H
#define POOLMGR_PACKAGE_SURVEY_H

/* Lists the content of the open directory again (cache_files.h), and makes room. */
void survey_begin(void);

#endif
