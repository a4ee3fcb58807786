/* The service of all workers except invoke workers: everything but running functions. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "worker/service.h"

extern const struct service control_service;

#endif
