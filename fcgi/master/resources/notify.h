/* Tells the service manager the state of berthd: one datagram to $NOTIFY_SOCKET, as sd_notify(3). Does nothing without that
 * variable. */
#ifndef MASTER_RESOURCES_NOTIFY_H
#define MASTER_RESOURCES_NOTIFY_H

#include "base/err.h"

/* Takes the address out of the environment, so that no child talks to the service manager. Call once. */
void notify_init(void);

/* Puts it back, for a program that is about to be executed in place of this process. */
void notify_pass_on(void);

/* state: "READY=1", "STOPPING=1", "MAINPID=…". */
int notify_send(const char *state, struct err *err);

#endif
