/* Tells the service manager how far we are: one datagram to $NOTIFY_SOCKET, sd_notify(3). Nothing happens without one. */
#ifndef MASTER_RESOURCES_NOTIFY_H
#define MASTER_RESOURCES_NOTIFY_H

#include "base/err.h"

/* Takes the address out of the environment, so that no child talks to the service manager. Call once. */
void notify_init(void);

/* Puts it back, for a program that is about to be executed in place of this process. */
void notify_pass_on(void);

/* "READY=1", "STOPPING=1", "MAINPID=…". */
int notify_send(const char *state, struct err *err);

#endif
