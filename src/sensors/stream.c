/* SPDX-License-Identifier: Apache-2.0 */
/** The rings and counters of the sensors as one stream of checked events, losses included. */
#include <sys/mman.h>
#include <unistd.h>

#include "bpf/wire.h"
#include "sensors/stream.h"

/* After something came the kernel may have more without a wake (wake_window_ns, 10 ms): look again
 * after 2, 4, 8 and 16 ms without news, then wait for a wake. */
#define LINGER_MS    2
#define LINGER_LOOKS 4U

static const char *const ring_names[RV_RING_COUNT] = {
    [RV_RING_MAIN] = "events",
    [RV_RING_URGENT] = "urgent",
};
static const uint32_t loss_causes[RV_LOST_COUNT] = {
    [RV_LOST_FULL] = RV_LOSS_RING_FULL,
    [RV_LOST_BUSY] = RV_LOSS_BUSY,
};

struct rv_stream {
    struct rv_ring *rings[RV_RING_COUNT];
    const struct rv_wire_counters *rows; /* the kernel writes, we read */
    size_t rows_len;                     /* bytes mapped */
    uint32_t cpus;
    struct rv_wire_counters *seen; /* losses reported so far, a row a cpu */
    uint64_t invalid, invalid_reported;
    unsigned quiet_reads; /* reads in a row that found nothing */

    /* during rv_stream_read() */
    const struct rv_event_sink *sink;
    int put_count;
    struct rv_event_builder builder;
};

int rv_stream_open(struct rv_stream **ret_stream, const struct rv_sensors_fds *fds)
{
    RV_AUTO(rv_stream_free) struct rv_stream *stream = NULL;
    void *rows;
    int r;

    if (fds->version != RV_WIRE_VERSION)
        return -EPROTONOSUPPORT;
    if (fds->cpus == 0 || fds->cpus > RV_WIRE_CPUS)
        return -EINVAL;
    stream = calloc(1, sizeof(*stream));
    if (!stream)
        return -ENOMEM;
    stream->cpus = fds->cpus;
    stream->seen = calloc(fds->cpus, sizeof(*stream->seen));
    if (!stream->seen)
        return -ENOMEM;
    r = rv_ring_open(&stream->rings[RV_RING_MAIN], fds->fd[RV_SENSORS_FD_RING], fds->ring_bytes);
    if (r < 0)
        return r;
    r = rv_ring_open(&stream->rings[RV_RING_URGENT], fds->fd[RV_SENSORS_FD_URGENT],
                     fds->urgent_bytes);
    if (r < 0)
        return r;
    stream->rows_len = fds->cpus * sizeof(*stream->rows);
    rows = mmap(NULL, stream->rows_len, PROT_READ, MAP_SHARED, fds->fd[RV_SENSORS_FD_COUNTERS], 0);
    if (rows == MAP_FAILED)
        return -errno;
    stream->rows = rows;
    *ret_stream = RV_TAKE(stream);
    return 0;
}

void rv_stream_free(struct rv_stream **stream)
{
    if (!stream || !*stream)
        return;
    for (size_t i = 0; i < RV_RING_COUNT; i++)
        rv_ring_free(&(*stream)->rings[i]);
    if ((*stream)->rows) {
        void *rows;

        memcpy(&rows, &(*stream)->rows, sizeof(rows));
        munmap(rows, (*stream)->rows_len);
    }
    free((*stream)->seen);
    free(*stream);
    *stream = NULL;
}

static uint64_t load(const __u64 *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/** One record of a ring: check it, pass it on. */
static int put_record(void *context, struct rv_span record)
{
    struct rv_stream *stream = context;
    const struct rv_event *event = NULL;
    int r;

    if (rv_event_check(record, &event, NULL) < 0) {
        stream->invalid++;
        return 0;
    }
    r = stream->sink->put(stream->sink->context, event);
    if (r >= 0)
        stream->put_count++;
    return r;
}

struct loss {
    const char *ring;
    uint64_t count, total;
    uint32_t cpu, type, cause;
};

static int put_loss(struct rv_stream *stream, uint64_t now_boot_ns, const struct loss *loss)
{
    struct rv_event_builder *builder = &stream->builder;
    struct rv_event *header = rv_event_begin(builder, RV_EVENT_LOSS);
    struct rv_event_loss *body = (struct rv_event_loss *)(void *)header;
    int r;

    header->time_boot_ns = now_boot_ns;
    header->cpu = loss->cpu;
    body->count = loss->count;
    body->total = loss->total;
    body->lost_type = loss->type;
    body->cause = loss->cause;
    rv_event_put_str(builder, &body->ring, rv_span_str(loss->ring), RV_EVENT_NAME_MAX);
    r = stream->sink->put(stream->sink->context, rv_event_end(builder));
    if (r >= 0)
        stream->put_count++;
    return r;
}

/** What one cpu lost since the last look. */
static int put_losses_of(struct rv_stream *stream, uint32_t cpu, uint64_t now_boot_ns)
{
    const struct rv_wire_counters *row = &stream->rows[cpu];
    struct rv_wire_counters *seen = &stream->seen[cpu];
    uint64_t total = load(&row->lost_total);

    if (total == seen->lost_total)
        return 0;
    for (uint32_t i = 0; i < RV_RING_COUNT * RV_LOST_COUNT * RV_WIRE_TYPES; i++) {
        uint32_t type = i % RV_WIRE_TYPES, cause = i / RV_WIRE_TYPES % RV_LOST_COUNT;
        uint32_t ring = i / RV_WIRE_TYPES / RV_LOST_COUNT;
        uint64_t lost = load(&row->lost[ring][cause][type]);
        struct loss loss = {
            ring_names[ring],  lost - seen->lost[ring][cause][type], lost, cpu, type,
            loss_causes[cause]
        };
        int r;

        if (loss.count == 0)
            continue;
        r = put_loss(stream, now_boot_ns, &loss);
        if (r < 0)
            return r;
        seen->lost[ring][cause][type] = lost;
    }
    seen->lost_total = total;
    return 0;
}

static int put_losses(struct rv_stream *stream, uint64_t now_boot_ns)
{
    uint64_t invalid = stream->invalid - stream->invalid_reported;
    struct loss loss = { "events", invalid, stream->invalid, 0, 0, RV_LOSS_INVALID };
    int r;

    for (uint32_t cpu = 0; cpu < stream->cpus; cpu++) {
        r = put_losses_of(stream, cpu, now_boot_ns);
        if (r < 0)
            return r;
    }
    if (invalid == 0)
        return 0;
    r = put_loss(stream, now_boot_ns, &loss);
    if (r >= 0)
        stream->invalid_reported = stream->invalid;
    return r;
}

int rv_stream_read(struct rv_stream *stream, size_t max, uint64_t now_boot_ns,
                   const struct rv_event_sink *sink)
{
    int r;

    stream->sink = sink;
    stream->put_count = 0;
    r = rv_ring_read(stream->rings[RV_RING_URGENT], SIZE_MAX, put_record, stream);
    if (r >= 0)
        r = rv_ring_read(stream->rings[RV_RING_MAIN], max, put_record, stream);
    if (r >= 0)
        r = put_losses(stream, now_boot_ns);
    stream->quiet_reads = stream->put_count > 0 ? 0 : stream->quiet_reads + 1;
    return r < 0 ? r : stream->put_count;
}

int rv_stream_timeout_ms(const struct rv_stream *stream)
{
    if (rv_ring_pending(stream->rings[RV_RING_MAIN]) > 0 && stream->quiet_reads == 0)
        return 0;
    return stream->quiet_reads < LINGER_LOOKS ? LINGER_MS << stream->quiet_reads : -1;
}

void rv_stream_counts(const struct rv_stream *stream, struct rv_stream_counts *ret_counts)
{
    memset(ret_counts, 0, sizeof(*ret_counts));
    ret_counts->invalid = stream->invalid;
    for (uint32_t cpu = 0; cpu < stream->cpus; cpu++) {
        const struct rv_wire_counters *row = &stream->rows[cpu];

        for (size_t type = 0; type < RV_WIRE_TYPES; type++) {
            uint64_t lost = 0;

            for (size_t i = 0; i < RV_RING_COUNT * RV_LOST_COUNT; i++)
                lost += load(&row->lost[i / RV_LOST_COUNT][i % RV_LOST_COUNT][type]);
            ret_counts->emitted_by_type[type] += load(&row->emitted[type]);
            ret_counts->emitted += load(&row->emitted[type]);
            ret_counts->lost_by_type[type] += lost;
            ret_counts->lost += lost;
        }
    }
}

uint64_t rv_stream_seq(const struct rv_stream *stream, uint32_t cpu)
{
    return cpu < stream->cpus ? load(&stream->rows[cpu].seq) : 0;
}
