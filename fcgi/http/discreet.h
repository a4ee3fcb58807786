/*
 * Removes paths, hosts and users of this installation from texts for clients; they are meant for the operator and stay in the
 * log.
 */
#ifndef HTTP_DISCREET_H
#define HTTP_DISCREET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Writes text with each absolute path replaced by …, cut off at size. Returns whether there was one. */
bool discreet_text(const char *text, size_t len, char *to, size_t size);

/* The same for every string in json, at any depth, except keys. */
void discreet_json(json_t *json);

#endif
