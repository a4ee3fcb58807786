/*
 * Records in a spool file: header {u32 magic, u32 payload length, u64 SipHash-2-4 of the payload}, payload as in record.def.
 * A spool file holds nothing else. It may end in the middle of a record when its writer was killed or the disk was full.
 */
#ifndef IPC_RECORD_H
#define IPC_RECORD_H

#include "base/err.h"
#include "base/fields.h"

#define RECORD_VERSION     1
#define RECORD_MAGIC       (0x42535000u | RECORD_VERSION) /* "BSP" and the version */
#define RECORD_HEADER_SIZE 16
#define RECORD_MAX_SIZE    (32u << 20)

/* Spool files are <state_dir>/spool/<uuid>.spool; whoever writes one holds an exclusive flock(2) on it. */
#define RECORD_SPOOL_DIR   "spool"
#define RECORD_FILE_SUFFIX ".spool"

struct record {
#define RECORD_FIELD(field, type) FIELD_C_##type field;
#include "ipc/record.def"
#undef RECORD_FIELD
};

/* Appends a whole record, header included. */
void record_encode(const struct record *record, struct buf *out);

/*
 * Looks at the front of data. Returns the bytes the first record takes and fills *record, whose strings point into data; 0 when
 * the record is not all there; -1 when it is damaged.
 */
ptrdiff_t record_decode(const void *data, size_t len, struct record *record, struct err *err);

/* After damage: how many bytes to skip until something that looks like a header, at least 1, at most len. */
size_t record_resync(const void *data, size_t len);

#endif
