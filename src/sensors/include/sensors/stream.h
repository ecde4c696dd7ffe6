/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file sensors/stream.h  The unprivileged side: events out of the kernel's rings, losses counted.
 *
 * Reads BPF ring buffers by mmap alone (no bpf(2)), so it works without any capability and under
 * seccomp (mmap, munmap, poll). What comes from a ring is not trusted: a record is checked by
 * rv_event_check() and dropped with a loss event when it is wrong. Single-threaded.
 */
#pragma once

#include "event/event.h"
#include "sensors/sensors.h"

/* ---- One ring ---- */

struct rv_ring;

/**
 * Map a BPF_MAP_TYPE_RINGBUF. The descriptor is borrowed for the call.
 * @param bytes size of the ring's data (max_entries), a power of two and whole pages.
 */
RV_MUST_CHECK int rv_ring_open(struct rv_ring **ret_ring, int map_fd, uint64_t bytes);
void rv_ring_free(struct rv_ring **ring);

/**
 * Hand over committed records, oldest first, at most `max`.
 * @param put `record` is 8-byte aligned and valid during the call only. A negative answer stops;
 *            that record counts as consumed.
 * @return records consumed; -EBADMSG when the ring's own bookkeeping is impossible (the ring is
 *         then dead: every later call answers the same); what `put` answered.
 */
RV_MUST_CHECK int rv_ring_read(struct rv_ring *ring, size_t max,
                               int (*put)(void *context, struct rv_span record), void *context);

/** Bytes waiting. */
uint64_t rv_ring_pending(const struct rv_ring *ring);

/* ---- All rings of the sensors, with loss ---- */

struct rv_stream;

/** `fds` as the guard passed them; borrowed for the call (the rings stay mapped after close). */
RV_MUST_CHECK int rv_stream_open(struct rv_stream **ret_stream, const struct rv_sensors_fds *fds);
void rv_stream_free(struct rv_stream **stream);

/**
 * Put waiting events into the sink: urgent ones first, then at most `max` others, then one loss
 * event for each ring, type and cause that lost something since the last call.
 * @param now_boot_ns time stamp of loss events.
 * @return events put; -errno of the sink or -EBADMSG of a ring.
 */
RV_MUST_CHECK int rv_stream_read(struct rv_stream *stream, size_t max, uint64_t now_boot_ns,
                                 const struct rv_event_sink *sink);

/**
 * How long to poll the two ring descriptors before the next rv_stream_read(), ms; -1: until one
 * is readable. A wake costs the watched program more than the record, so the kernel side wakes the
 * reader at most once in 10 ms a cpu; after a wake the reader looks again by itself, first after
 * 2 ms. This function knows when; nothing waits longer than that while events flow.
 */
int rv_stream_timeout_ms(const struct rv_stream *stream);

/** What the counters say. Rows add up over cpus. */
struct rv_stream_counts {
    uint64_t emitted; /* events that got into a ring */
    uint64_t lost;    /* events that did not, all causes */
    uint64_t invalid; /* records that rv_event_check() refused */
    uint64_t emitted_by_type[RV_EVENT_TYPE_END_], lost_by_type[RV_EVENT_TYPE_END_];
};
void rv_stream_counts(const struct rv_stream *stream, struct rv_stream_counts *ret_counts);

/** Last sequence number of a cpu, for the log's checkpoints; 0 past the last cpu. */
uint64_t rv_stream_seq(const struct rv_stream *stream, uint32_t cpu);
