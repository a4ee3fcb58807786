/*
 * Records in a spool file: header {u32 magic, u32 payload length, u64 SipHash-2-4 of the payload}, payload as in record.def.
 * A spool file holds nothing else. It may end in the middle of a record when its writer was killed or the disk was full.
 *
 * The checksum is keyed with the uuid in the file's name, which no function learns: bytes that a function prints may look like
 * a record, but are none even where damage has the reader search for the next one.
 */
#ifndef IPC_RECORD_H
#define IPC_RECORD_H

#include <stdbool.h>

#include "base/err.h"
#include "base/fields.h"
#include "base/uuid.h"
#include "ipc/start_kind.h"

/* What is written, and the oldest that is still read: at an upgrade the old workers write on, and the new collector stores
 * that. */
#define RECORD_VERSION        7
#define RECORD_OLDEST         5
#define RECORD_MAGIC(version) (0x42535000u | (version)) /* "BSP" and the version */
#define RECORD_HEADER_SIZE    16
#define RECORD_MAX_SIZE       (32u << 20)
#define RECORD_UNKNOWN        UINT64_MAX /* of a number that was not measured */

/*
 * Spool files are <state_dir>/spool/<uuid><suffix>; whoever writes one holds an exclusive flock(2) on it. The suffix is another
 * one for each version, so that a collector leaves alone what it cannot read: a newer one will.
 */
#define RECORD_SPOOL_DIR    "spool"
#define RECORD_ID_FILE      "id" /* of the spool: the collector's, as is what it could not store */
#define RECORD_REJECTED_DIR "rejected"
#define RECORD_FILE_SUFFIX  ".7.spool" /* of RECORD_VERSION */
#define RECORD_SUFFIX_MAX   sizeof(".999.spool")
#define RECORD_NEW_SUFFIX   ".new" /* in its place until the file is locked */
#define RECORD_FILE_MODE    0440   /* its writer has it open; the collector is in its group, and nobody writes to it again */

struct record {
#define RECORD_FIELD(field, type, since)        FIELD_C_##type field;
#define RECORD_FORMER(field, type, since, last) FIELD_C_##type field;
#include "ipc/record.def"
#undef RECORD_FIELD
#undef RECORD_FORMER
};

/* Is it of an invocation? */
bool record_is_invocation(const struct record *record);

/* What is left of the response time besides waiting, loading and running: the platform's own part. */
uint64_t record_overhead_us(const struct record *record);

/* Whether name is that of a spool file whose version is read. *key, the uuid, is its records' key; untouched otherwise. */
bool record_spool_key(const char *name, struct uuid *key);

/* Whether name is <uuid><suffix>. */
bool record_file_key(const char *name, const char *suffix, struct uuid *key);

/* Appends a whole record, header included. */
void record_encode(const struct record *record, const struct uuid *key, struct buf *out);

/* The version of a record that begins with these bytes, at least four; 0: none that is read. */
uint32_t record_version(const void *data);

/*
 * Looks at the front of data. Returns the bytes the first record takes and fills *record, whose strings point into data; 0 when
 * the record is not all there; -1 when it is damaged, or was written under another key. The fields of RECORD_FORMER are empty.
 */
ptrdiff_t record_decode(const void *data, size_t len, const struct uuid *key, struct record *record, struct err *err);

/* After damage: how many bytes to skip until something that looks like a header, at least 1, at most len. */
size_t record_resync(const void *data, size_t len);

#endif
