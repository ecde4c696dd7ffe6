/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file audit/note.h  Signed notes (C2SP signed-note): text, a blank line, signature lines; the
 * keys that make and check them. Pure but for rv_signer_load(); nothing here is shared state.
 */
#pragma once

#include "base/bytes.h"

/** The type byte of a key: which signature, over which bytes. Unknown types are never "known". */
enum rv_note_algorithm {
    RV_NOTE_NONE = 0,
    RV_NOTE_ED25519 = 0x01,     /* over the note's text */
    RV_NOTE_COSIGNATURE = 0x04, /* Ed25519 over "cosignature/v1", the time and the text */
};

#define RV_NOTE_LEN_MAX        ((size_t)64 * 1024)
#define RV_NOTE_SIGNATURES_MAX ((size_t)64)
#define RV_NOTE_NAME_MAX       ((size_t)255)
#define RV_ED25519_KEY_LEN     ((size_t)32)
#define RV_ED25519_SIG_LEN     ((size_t)64)

/** A public key with its name: what a "vkey" text holds. Plain data. */
struct rv_note_key {
    char name[RV_NOTE_NAME_MAX + 1];
    uint32_t id; /* first four bytes of SHA-256(name, newline, algorithm, public key) */
    enum rv_note_algorithm algorithm;
    uint8_t public_key[RV_ED25519_KEY_LEN];
};

/** @return 0; -EINVAL for a bad name (empty, blank, '+', control) or an algorithm not ours. */
RV_MUST_CHECK int rv_note_key_make(struct rv_note_key *ret_key, const char *name,
                                   enum rv_note_algorithm algorithm,
                                   const uint8_t public_key[RV_ED25519_KEY_LEN]);
/** Parse `name+hash+base64`; blanks and a newline around it are allowed. @return 0; -EINVAL. */
RV_MUST_CHECK int rv_note_key_parse(struct rv_note_key *ret_key, struct rv_span vkey);
void rv_note_key_format(struct rv_buf *buf, const struct rv_note_key *key);

/* ---- Signing: a key in a file today, in a TPM or a PKCS#11 token through the same table ---- */

struct rv_signer;

struct rv_signer_ops {
    const char *kind; /* "file", "tpm", "pkcs11" */
    /** Ed25519 (RFC 8032) over `message`. May block. @return 0 or -errno. */
    int (*sign)(void *context, struct rv_span message, uint8_t signature[RV_ED25519_SIG_LEN]);
    void (*free)(void *context); /* NULL: nothing to free */
};

/** A signer over somebody's key. Takes over `context`, also when it fails. @return 0; -ENOMEM. */
RV_MUST_CHECK int rv_signer_new(struct rv_signer **ret_signer, const struct rv_note_key *key,
                                const struct rv_signer_ops *ops, void *context);
void rv_signer_free(struct rv_signer **signer);
const struct rv_note_key *rv_signer_key(const struct rv_signer *signer);

/**
 * A new random Ed25519 key written to `path` (0600, never over an existing file) as
 * `PRIVATE+KEY+name+hash+base64`, and its vkey to `path`.pub (0644).
 * @return 0; -EEXIST; -EINVAL for a bad name; another -errno.
 */
RV_MUST_CHECK int rv_signer_generate(int dir_fd, const char *path, const char *name,
                                     enum rv_note_algorithm algorithm);
/** Load such a file. @return 0; -EPERM if others may read it; -EBADMSG if malformed; -errno. */
RV_MUST_CHECK int rv_signer_load(struct rv_signer **ret_signer, int dir_fd, const char *path);
/** The same from text, for keys that live elsewhere. @return 0; -EBADMSG; -ENOMEM. */
RV_MUST_CHECK int rv_signer_parse(struct rv_signer **ret_signer, struct rv_span skey);

/**
 * Append one signature line over `text` (which ends in a newline).
 * @param unix_s the time a cosignature states; ignored by RV_NOTE_ED25519.
 * @return 0 or -errno of the key.
 */
RV_MUST_CHECK int rv_note_sign(struct rv_buf *buf, struct rv_span text,
                               const struct rv_signer *signer, uint64_t unix_s);

/* ---- Reading ---- */

struct rv_note_signature {
    struct rv_span name; /* views into the note */
    struct rv_span line; /* the whole line, newline included */
    uint32_t id;
    uint8_t blob[8 + RV_ED25519_SIG_LEN]; /* after the key id; longer ones are not ours */
    size_t blob_len;
};

struct rv_note {
    struct rv_span text; /* with its last newline */
    struct rv_note_signature signatures[RV_NOTE_SIGNATURES_MAX];
    size_t signature_count;
};

/** Take a note apart, checking form only. Views into `bytes`. @return 0; -EBADMSG. */
RV_MUST_CHECK int rv_note_parse(struct rv_note *ret_note, struct rv_span bytes);

enum rv_note_finding {
    RV_NOTE_UNSIGNED = 0, /* no signature by a known key */
    RV_NOTE_BAD,          /* a known key's signature is wrong: reject the whole note */
    RV_NOTE_GOOD,
};

/**
 * Check every signature whose name and id belong to one of `keys`.
 * @param ret_signed_by bit i set: keys[i] signed (count at most 64); may be NULL.
 */
enum rv_note_finding rv_note_check(const struct rv_note *note, const struct rv_note_key *keys,
                                   size_t key_count, uint64_t *ret_signed_by);
