/* The service of its name: everything but running functions, in all other workers. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "worker/service.h"

extern const struct service control_service;

#endif
