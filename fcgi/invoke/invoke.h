/* The service of its name: running functions, in the invoke workers. */
#ifndef INVOKE_INVOKE_H
#define INVOKE_INVOKE_H

#include "worker/service.h"

extern const struct service invoke_service;

#endif
