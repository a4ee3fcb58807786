/*
 * Records in a spool file: header {u32 magic, u32 payload length, u64 SipHash-2-4 of the payload}, payload as in record.def. A
 * spool file contains nothing but records. It may end in the middle of a record, because its writer was killed or the disk was
 * full.
 *
 * The key of the checksum is the uuid in the file's name, which no function learns. So bytes that a function prints may look
 * like a record, but are never accepted as one, not even when the reader searches for the next record after damage.
 */
#ifndef IPC_RECORD_H
#define IPC_RECORD_H

#include <stdbool.h>

#include "base/err.h"
#include "base/fields.h"
#include "base/uuid.h"
#include "ipc/start_kind.h"

/*
 * The version that is written, and the oldest that is still read: during an upgrade old workers keep writing, and the new
 * collector stores their records.
 */
#define RECORD_VERSION        9
#define RECORD_OLDEST         5
#define RECORD_MAGIC(version) (0x42535000u | (version)) /* "BSP" and the version */
#define RECORD_HEADER_SIZE    16
#define RECORD_MAX_SIZE       (32u << 20)
#define RECORD_UNKNOWN        UINT64_MAX /* the value of a number that was not measured */

/*
 * Spool files are <state_dir>/spool/<uuid><suffix>; the writer of a file holds an exclusive flock(2) on it. Each version has
 * its own suffix, so that a collector leaves files that it cannot read to a newer collector.
 */
#define RECORD_SPOOL_DIR    "spool"
#define RECORD_ID_FILE      "id" /* mode of the spool; it belongs to the collector, as does the directory of rejected records */
#define RECORD_REJECTED_DIR "rejected"
#define RECORD_FILE_SUFFIX  ".9.spool" /* the suffix for RECORD_VERSION */
#define RECORD_SUFFIX_MAX   sizeof(".999.spool")
#define RECORD_NEW_SUFFIX   ".new" /* the suffix until the file is locked */
#define RECORD_FILE_MODE                                                                                                       \
	0440 /* mode of a file: its writer has it open already, the collector is in its group, and no other process writes to  \
		it */

struct record {
#define RECORD_FIELD(field, type, since)        FIELD_C_##type field;
#define RECORD_FORMER(field, type, since, last) FIELD_C_##type field;
#include "ipc/record.def"
#undef RECORD_FIELD
#undef RECORD_FORMER
};

/* Whether the record is that of an invocation; and whether it is of output that one has left behind. */
bool record_is_invocation(const struct record *record);
bool record_is_late(const struct record *record);

/* The platform's own part of the response time: what remains after waiting, loading and running. */
uint64_t record_overhead_us(const struct record *record);

/*
 * Whether name is that of a spool file of a readable version. *key is then the uuid, which is the key of its records; otherwise
 * untouched.
 */
bool record_spool_key(const char *name, struct uuid *key);

/* Whether name is <uuid><suffix>. */
bool record_file_key(const char *name, const char *suffix, struct uuid *key);

/* Appends a whole record, header included. */
void record_encode(const struct record *record, const struct uuid *key, struct buf *out);

/* The version of a record that begins with these bytes, at least four; 0 when it is not a readable version. */
uint32_t record_version(const void *data);

/*
 * Decodes the record at the front of data. Returns its length and fills *record, whose strings point into data; returns 0 when
 * the record is incomplete, and -1 when it is damaged or was written with another key. Fields of RECORD_FORMER are empty then.
 */
ptrdiff_t record_decode(const void *data, size_t len, const struct uuid *key, struct record *record, struct err *err);

/* After damage: how many bytes to skip until something that looks like a header, at least 1, at most len. */
size_t record_resync(const void *data, size_t len);

#endif
