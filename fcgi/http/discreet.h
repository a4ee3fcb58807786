/*
 * What the platform says of itself, for clients: without the paths, hosts and users of this installation, which are the
 * operator's business and stay in the log.
 */
#ifndef HTTP_DISCREET_H
#define HTTP_DISCREET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Writes text with … for each absolute path, cut to size. Returns whether there was one. */
bool discreet_text(const char *text, size_t len, char *to, size_t size);

/* The same for every string in json, at any depth; keys stay. */
void discreet_json(json_t *json);

#endif
