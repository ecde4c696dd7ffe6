/* SPDX-License-Identifier: Apache-2.0 */
/** @file argv.h  What the arguments of an exec look like, without keeping them. */
#pragma once

#include "base/bytes.h"

struct rv_argv_look {
    uint64_t shape; /* hash of the arguments with names and numbers blotted out */
    uint16_t len;
    uint8_t entropy_q4; /* bits per byte, first 256 bytes */
    uint8_t meta;       /* ;|&$`<> */
    uint8_t b64_run;
    uint8_t net; /* URLs, /dev/tcp, dotted addresses */
};

/** `argv`: arguments, each ended by NUL, maybe cut; `true_len`: bytes there were. */
struct rv_argv_look rv_argv_look(struct rv_span argv, uint32_t true_len);

/** Argument `index`, empty when there is none. */
struct rv_span rv_argv_at(struct rv_span argv, unsigned index);
