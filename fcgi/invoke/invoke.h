/* The service of the invoke workers: running functions. */
#ifndef INVOKE_INVOKE_H
#define INVOKE_INVOKE_H

#include "worker/service.h"

extern const struct service invoke_service;

#endif
