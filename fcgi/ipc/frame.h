/*
 * Frames on a sandbox's control socket (runtimes/protocol.md): u32 big-endian payload length, u8 type, payload. Received frames
 * may have been written by a function: the length is checked against a bound before memory is reserved for it, and a frame that
 * breaks a rule means the end of the sandbox.
 */
#ifndef IPC_FRAME_H
#define IPC_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define FRAME_HEADER_SIZE 5

enum frame_type {
	FRAME_HELLO = 1,      /* agent → host */
	FRAME_INIT = 2,       /* host → agent */
	FRAME_READY = 3,      /* agent → host */
	FRAME_INIT_ERROR = 4, /* agent → host */
	FRAME_INVOKE = 5,     /* host → agent */
	FRAME_RESULT = 6,     /* agent → host */
	FRAME_ERROR = 7,      /* agent → host */
};

struct frame {
	enum frame_type type;
	const char *payload; /* borrowed from the decoder's input */
	size_t len;
};

/* The name of a type, such as "RESULT"; "?" for an unknown number. */
const char *frame_name(enum frame_type type);

/* Makes the header of a frame whose payload has that length. */
void frame_header(char header[FRAME_HEADER_SIZE], enum frame_type type, size_t payload_len);

/* Appends a whole frame, its payload given in up to two parts. */
void frame_encode(struct buf *out, enum frame_type type, const void *head, size_t head_len, const void *body, size_t body_len);

/*
 * Decodes the frame at the front of data. Returns its length and fills *frame; returns 0 when more bytes are needed, and -1
 * when an agent may not send such a frame or its payload is longer than max_payload.
 */
ptrdiff_t frame_decode(const void *data, size_t len, size_t max_payload, struct frame *frame, struct err *err);

/*
 * RESULT and INVOKE carry one line of JSON and then raw bytes: splits the payload at its first newline.
 * -1 when there is none.
 */
int frame_split(const struct frame *frame, const char **meta, size_t *meta_len, const char **body, size_t *body_len,
		struct err *err);

#endif
