/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log costs: durable appends and their latency at 1, 8 and 64 writers, hashing, proofs,
 * verification; against a plain append+fdatasync of the same bytes and against SQLite (WAL,
 * FULL, batches of 256), all on the same directory's disk, in turns, in one run. One JSON line.
 * usage: bench_audit [DIR]  (a folder is made below DIR, default the current directory)
 */
#include "audit/audit.h"
#include "audit/entry.h"
#include "audit/tile.h"
#include "audit/verify.h"
#include "base/fd.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define ENTRY_LEN ((size_t)300)
#define BATCH     256
#define ROUNDS    5
#define ROUND_S   0.5
#define BIG_TREE  1000000
#define SAMPLES   400000

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void check(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "bench_audit: %s: %s\n", what, strerror(-r));
    exit(1);
}

static int remove_item(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void fill_entry(char entry[ENTRY_LEN], uint64_t i)
{
    memset(entry, 'x', ENTRY_LEN);
    (void)snprintf(entry, ENTRY_LEN, "{\"decision\":%llu", (unsigned long long)i);
}

static int make_dir(int base_fd, const char *name)
{
    int fd;

    check(mkdirat(base_fd, name, 0700) < 0 ? -errno : 0, "mkdir");
    fd = openat(base_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(fd < 0 ? -errno : 0, "open");
    return fd;
}

/* ---- Writers that wait ---- */

struct writer {
    struct rv_audit *audit;
    double until_s;
    double *latency_s;
    size_t room, count;
};

static void *write_until(void *context)
{
    struct writer *writer = context;
    char entry[ENTRY_LEN];

    while (writer->count < writer->room) {
        double before = now_s();

        if (before >= writer->until_s)
            break;
        fill_entry(entry, writer->count);
        check(rv_audit_append_wait(writer->audit, rv_span(entry, ENTRY_LEN), "bench", NULL),
              "append");
        writer->latency_s[writer->count++] = now_s() - before;
    }
    return NULL;
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

struct result {
    double per_s, p50_ms, p99_ms;
};

static struct result measure_writers(struct rv_audit *audit, unsigned count, double seconds)
{
    struct writer *writers = calloc(count, sizeof(*writers));
    pthread_t *threads = calloc(count, sizeof(*threads));
    double *latency_s = calloc(SAMPLES, sizeof(*latency_s)), begin = now_s();
    struct result result;
    size_t total = 0;

    for (unsigned i = 0; i < count; i++) {
        writers[i] = (struct writer){ .audit = audit,
                                      .until_s = begin + seconds,
                                      .latency_s = latency_s + i * (SAMPLES / count),
                                      .room = SAMPLES / count };
        check(-pthread_create(&threads[i], NULL, write_until, &writers[i]), "thread");
    }
    for (unsigned i = 0; i < count; i++) {
        (void)pthread_join(threads[i], NULL);
        memmove(latency_s + total, writers[i].latency_s, writers[i].count * sizeof(*latency_s));
        total += writers[i].count;
    }
    result.per_s = (double)total / (now_s() - begin);
    qsort(latency_s, total, sizeof(*latency_s), compare_doubles);
    result.p50_ms = latency_s[total / 2] * 1e3;
    result.p99_ms = latency_s[total * 99 / 100] * 1e3;
    free(latency_s);
    free(threads);
    free(writers);
    return result;
}

/* ---- The same bytes: ours with its queue kept full, plain and SQLite 256 entries a sync ---- */

#define IN_FLIGHT_MAX 2048

/** Durable entries a second while tiles and a checkpoint a second are built beside it. */
static double ours_queued(struct rv_audit *audit, double seconds)
{
    double begin = now_s(), published = begin;
    struct rv_audit_status before, status;
    char entry[ENTRY_LEN];

    rv_audit_status(audit, &before);
    for (uint64_t i = 0;; i++) {
        int r;

        if (i % BATCH == 0) {
            double now = now_s();

            if (now - begin >= seconds)
                break;
            if (now - published >= 1) {
                check(rv_audit_tick(audit), "tick");
                published = now;
            }
            do
                rv_audit_status(audit, &status);
            while (status.size - status.durable > IN_FLIGHT_MAX && sched_yield() == 0);
        }
        fill_entry(entry, i);
        r = rv_audit_append(audit, rv_span(entry, ENTRY_LEN), "bench", NULL, NULL, NULL);
        if (r != -EAGAIN)
            check(r, "append");
    }
    check(rv_audit_flush(audit), "flush");
    rv_audit_status(audit, &status);
    return (double)(status.durable - before.durable) / (now_s() - begin);
}

static double plain_batches(int fd, double seconds)
{
    static char batch[BATCH * (2 + ENTRY_LEN)];
    double begin = now_s();
    uint64_t count = 0;

    while (now_s() - begin < seconds) {
        for (size_t i = 0; i < BATCH; i++, count++) {
            char *at = batch + i * (2 + ENTRY_LEN);

            at[0] = (char)(ENTRY_LEN >> 8);
            at[1] = (char)(ENTRY_LEN & 255);
            fill_entry(at + 2, count);
        }
        check(rv_write_all(fd, batch, sizeof(batch)), "write");
        check(fdatasync(fd) < 0 ? -errno : 0, "fdatasync");
    }
    return (double)count / (now_s() - begin);
}

static double sqlite_batches(sqlite3 *db, double seconds)
{
    double begin = now_s();
    sqlite3_stmt *insert = NULL;
    char entry[ENTRY_LEN];
    uint64_t count = 0;

    (void)sqlite3_prepare_v2(db, "INSERT INTO log(entry) VALUES(?)", -1, &insert, NULL);
    while (now_s() - begin < seconds) {
        (void)sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
        for (int i = 0; i < BATCH; i++, count++) {
            fill_entry(entry, count);
            (void)sqlite3_bind_blob(insert, 1, entry, ENTRY_LEN, SQLITE_STATIC);
            (void)sqlite3_step(insert);
            (void)sqlite3_reset(insert);
        }
        if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
            check(-EIO, "sqlite");
    }
    (void)sqlite3_finalize(insert);
    return (double)count / (now_s() - begin);
}

static sqlite3 *open_sqlite(const char *path)
{
    sqlite3 *db = NULL;

    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                     "CREATE TABLE log(seq INTEGER PRIMARY KEY, entry BLOB)",
                     NULL, NULL, NULL) != SQLITE_OK)
        check(-EIO, "sqlite");
    return db;
}

/* ---- Hashing, proofs, verification ---- */

static double hashing_per_s(void)
{
    struct rv_hasher *hasher = NULL;
    struct rv_sha256 stack[64];
    char entry[ENTRY_LEN];
    uint64_t count = 0;
    double begin = now_s();

    check(rv_hasher_new(&hasher), "hasher");
    fill_entry(entry, 0);
    while (count % 1024 != 0 || now_s() - begin < ROUND_S) {
        unsigned depth = (unsigned)__builtin_popcountll(count);

        memcpy(entry, &count, sizeof(count));
        stack[depth] = rv_tree_leaf(hasher, rv_span(entry, ENTRY_LEN));
        for (uint64_t full = count++; full & 1; full >>= 1, depth--)
            stack[depth - 1] = rv_tree_node(hasher, &stack[depth - 1], &stack[depth]);
    }
    rv_hasher_free(&hasher);
    return (double)count / (now_s() - begin);
}

struct big {
    double build_per_s, prove_us, check_us, proof_bytes, verify_s_per_million;
};

static struct big measure_big_tree(int fd, struct rv_signer *signer, struct rv_audit *audit)
{
    struct rv_verify_request request = { .keys = rv_signer_key(signer), .key_count = 1 };
    struct rv_verify_report report;
    struct rv_tiles *tiles = NULL;
    struct rv_source source;
    struct big big = { 0 };
    char entry[ENTRY_LEN];
    struct rv_audit_status status;
    double begin = now_s();

    rv_audit_status(audit, &status);
    for (uint64_t i = status.size; i < BIG_TREE; i++) {
        fill_entry(entry, i);
        while (rv_audit_append(audit, rv_span(entry, ENTRY_LEN), "bench", NULL, NULL, NULL) ==
               -EAGAIN)
            check(rv_audit_publish(audit), "publish");
    }
    check(rv_audit_publish(audit), "publish");
    big.build_per_s = (double)(BIG_TREE - status.size) / (now_s() - begin);

    check(rv_source_dir(&source, fd), "source");
    begin = now_s();
    check(rv_verify_log(&source, &request, &report), "verify");
    big.verify_s_per_million = (now_s() - begin) * 1e6 / (double)report.checkpoint.head.size;
    if (report.finding != RV_VERIFY_RIGHT)
        check(-EBADMSG, report.what);
    check(rv_tiles_new(&tiles, &source, report.checkpoint.head.size), "tiles");
    for (int i = 0; i < 2000; i++) {
        uint64_t index = (uint64_t)i * 7919 % report.checkpoint.head.size;
        struct rv_proof proof;
        struct rv_span span;
        struct rv_sha256 leaf;

        begin = now_s();
        check(rv_tiles_prove_inclusion(tiles, index, report.checkpoint.head.size, &proof), "prove");
        big.prove_us += (now_s() - begin) * 1e6 / 2000;
        big.proof_bytes = (double)(proof.count * RV_SHA256_LEN);
        check(rv_tiles_entry(tiles, index, &span), "entry");
        leaf = rv_tree_leaf(NULL, span);
        begin = now_s();
        if (rv_proof_check_inclusion(&proof, index, &leaf, report.checkpoint.head.size,
                                     &report.checkpoint.head.root) != RV_PROOF_RIGHT)
            check(-EBADMSG, "proof");
        big.check_us += (now_s() - begin) * 1e6 / 2000;
    }
    rv_tiles_free(&tiles);
    return big;
}

/* ---- All of it ---- */

static double median(double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof(values[0]), compare_doubles);
    return values[ROUNDS / 2];
}

static void run(const char *path, int base_fd, struct rv_signer *signer)
{
    struct rv_audit_options options = {
        .mode = RV_AUDIT_THREAD, .signers = &signer, .signer_count = 1, .clock = rv_clock_system()
    };
    double ours[ROUNDS], plain[ROUNDS], sqlite[ROUNDS], to_plain[ROUNDS], to_sqlite[ROUNDS];
    struct rv_audit *audit = NULL;
    char db_path[512];
    int log_fd = make_dir(base_fd, "log"), plain_fd;
    struct result one, eight, many;
    struct big big;
    sqlite3 *db;

    check(rv_audit_open(&audit, log_fd, &options), "open");
    plain_fd = openat(base_fd, "plain", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    (void)snprintf(db_path, sizeof(db_path), "%s/sqlite.db", path);
    db = open_sqlite(db_path);
    for (int i = 0; i < ROUNDS; i++) {
        ours[i] = ours_queued(audit, ROUND_S);
        plain[i] = plain_batches(plain_fd, ROUND_S);
        sqlite[i] = sqlite_batches(db, ROUND_S);
        to_plain[i] = ours[i] / plain[i];
        to_sqlite[i] = ours[i] / sqlite[i];
    }
    (void)sqlite3_close(db);
    (void)close(plain_fd);
    check(rv_audit_publish(audit), "publish");
    one = measure_writers(audit, 1, 1);
    eight = measure_writers(audit, 8, 1);
    many = measure_writers(audit, 64, 2);
    big = measure_big_tree(log_fd, signer, audit);
    printf("{\"bench\":\"audit\",\"entry_bytes\":%zu,\"durable_per_s\":%.0f,"
           "\"plain_append_fdatasync_per_s\":%.0f,\"sqlite_wal_full_256_per_s\":%.0f,"
           "\"ratio_to_plain\":%.2f,\"ratio_to_sqlite\":%.2f,",
           ENTRY_LEN, median(ours), median(plain), median(sqlite), median(to_plain),
           median(to_sqlite));
    printf("\"writers_1\":{\"per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f},"
           "\"writers_8\":{\"per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f},"
           "\"writers_64\":{\"per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f},",
           one.per_s, one.p50_ms, one.p99_ms, eight.per_s, eight.p50_ms, eight.p99_ms, many.per_s,
           many.p50_ms, many.p99_ms);
    printf("\"hash_leaves_per_s\":%.0f,\"bulk_append_per_s\":%.0f,\"prove_us\":%.1f,"
           "\"check_proof_us\":%.1f,\"proof_bytes\":%.0f,\"verify_s_per_million\":%.2f}\n",
           hashing_per_s(), big.build_per_s, big.prove_us, big.check_us, big.proof_bytes,
           big.verify_s_per_million);
    rv_audit_free(&audit);
    (void)close(log_fd);
}

int main(int argc, char **argv)
{
    struct rv_signer *signer = NULL;
    char path[256];
    int fd;

    (void)snprintf(path, sizeof(path), "%.200s/reeve-bench-audit-XXXXXX", argc > 1 ? argv[1] : ".");
    if (!mkdtemp(path))
        check(-errno, path);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(fd < 0 ? -errno : 0, "open");
    check(rv_signer_generate(fd, "key", "bench.example/log", RV_NOTE_ED25519), "keygen");
    check(rv_signer_load(&signer, fd, "key"), "key");
    run(path, fd, signer);
    rv_signer_free(&signer);
    (void)close(fd);
    (void)nftw(path, remove_item, 32, FTW_DEPTH | FTW_PHYS);
    return 0;
}
