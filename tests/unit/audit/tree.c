/* SPDX-License-Identifier: Apache-2.0 */
/* Hashing and proofs against RFC 6962's definitions, written out naively here. */
#include "scratch.h"

#include "audit/tile.h"

#define LEAVES 70

static struct rv_sha256 leaves[LEAVES];

static int make_leaves(void **state)
{
    for (unsigned i = 0; i < LEAVES; i++)
        leaves[i] = rv_tree_leaf(NULL, rv_span(&i, sizeof(i)));
    return 0;
}

/** MTH(D[low:high]) by the definition. */
static struct rv_sha256 naive_root(size_t low, size_t high)
{
    struct rv_sha256 left, right;
    size_t middle;

    if (high == low)
        return rv_tree_empty();
    if (high - low == 1)
        return leaves[low];
    middle = low + (size_t)rv_tree_split(high - low);
    left = naive_root(low, middle);
    right = naive_root(middle, high);
    return rv_tree_node(NULL, &left, &right);
}

/** PATH(m, D[low:high]) by the definition. */
static void naive_path(size_t m, size_t low, size_t high, struct rv_proof *proof)
{
    size_t middle;

    if (high - low <= 1)
        return;
    middle = low + (size_t)rv_tree_split(high - low);
    naive_path(m, m < middle ? low : middle, m < middle ? middle : high, proof);
    proof->hashes[proof->count++] = m < middle ? naive_root(middle, high) : naive_root(low, middle);
}

/** SUBPROOF(m, D[low:high], whole) by the definition; m counts from `low`. */
static void naive_subproof(size_t m, size_t low, size_t high, bool whole, struct rv_proof *proof)
{
    size_t k;

    if (m == high - low) {
        if (!whole)
            proof->hashes[proof->count++] = naive_root(low, high);
        return;
    }
    k = (size_t)rv_tree_split(high - low);
    if (m <= k) {
        naive_subproof(m, low, low + k, whole, proof);
        proof->hashes[proof->count++] = naive_root(low + k, high);
    } else {
        naive_subproof(m - k, low + k, high, false, proof);
        proof->hashes[proof->count++] = naive_root(low, low + k);
    }
}

static void known_hashes_of_rfc_6962(void **state)
{
    struct rv_sha256 hash = rv_tree_empty();
    char hex[RV_SHA256_HEX_LEN + 1];

    rv_sha256_hex(&hash, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash = rv_tree_leaf(NULL, rv_span("", 0));
    rv_sha256_hex(&hash, hex);
    assert_string_equal(hex, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    hash = rv_tree_leaf(NULL, rv_span_str("L123456"));
    rv_sha256_hex(&hash, hex);
    assert_string_equal(hex, "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
    hash = rv_tree_node(NULL, (const struct rv_sha256 *)"N123xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                        (const struct rv_sha256 *)"N456xxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    rv_sha256_hex(&hash, hex);
    assert_int_equal(strlen(hex), 64);
}

static void roots_follow_the_definition(void **state)
{
    RV_AUTO(rv_hasher_free) struct rv_hasher *hasher = NULL;

    rv_assert_ok(rv_hasher_new(&hasher));
    for (size_t size = 0; size <= LEAVES; size++) {
        struct rv_sha256 root = rv_tree_root(hasher, leaves, size);
        struct rv_sha256 naive = naive_root(0, size);

        assert_memory_equal(&root, &naive, sizeof(root));
    }
}

static void inclusion_proofs_prove_their_entry_and_no_other(void **state)
{
    for (size_t size = 1; size <= LEAVES; size++) {
        struct rv_sha256 root = naive_root(0, size);

        for (size_t m = 0; m < size; m++) {
            struct rv_proof proof = { 0 };

            naive_path(m, 0, size, &proof);
            assert_int_equal(rv_proof_check_inclusion(&proof, m, &leaves[m], size, &root),
                             RV_PROOF_RIGHT);
            assert_int_equal(
                rv_proof_check_inclusion(&proof, m, &leaves[(m + 1) % LEAVES], size, &root),
                RV_PROOF_WRONG);
            assert_int_equal(rv_proof_check_inclusion(&proof, m + 1, &leaves[m], size, &root),
                             RV_PROOF_WRONG);
            if (proof.count > 0) {
                proof.hashes[m % proof.count].bytes[m % 32] ^= 1;
                assert_int_equal(rv_proof_check_inclusion(&proof, m, &leaves[m], size, &root),
                                 RV_PROOF_WRONG);
                proof.hashes[m % proof.count].bytes[m % 32] ^= 1;
                proof.count--;
                assert_int_equal(rv_proof_check_inclusion(&proof, m, &leaves[m], size, &root),
                                 RV_PROOF_WRONG);
                proof.count++;
            }
            proof.count++;
            assert_int_equal(rv_proof_check_inclusion(&proof, m, &leaves[m], size, &root),
                             RV_PROOF_WRONG);
        }
    }
}

static void check_consistency(size_t older, size_t newer)
{
    struct rv_tree_head old_head = { older, naive_root(0, older) };
    struct rv_tree_head new_head = { newer, naive_root(0, newer) };
    struct rv_proof proof = { 0 };

    if (older > 0 && older < newer)
        naive_subproof(older, 0, newer, true, &proof);
    assert_int_equal(rv_proof_check_consistency(&proof, &old_head, &new_head), RV_PROOF_RIGHT);
    old_head.root.bytes[3] ^= 1;
    assert_int_equal(rv_proof_check_consistency(&proof, &old_head, &new_head), RV_PROOF_WRONG);
    old_head.root.bytes[3] ^= 1;
    new_head.root.bytes[3] ^= 1;
    if (older > 0)
        assert_int_equal(rv_proof_check_consistency(&proof, &old_head, &new_head), RV_PROOF_WRONG);
    new_head.root.bytes[3] ^= 1;
    for (size_t i = 0; i < proof.count; i++) {
        proof.hashes[i].bytes[i] ^= 4;
        assert_int_equal(rv_proof_check_consistency(&proof, &old_head, &new_head), RV_PROOF_WRONG);
        proof.hashes[i].bytes[i] ^= 4;
    }
    proof.count++;
    assert_int_equal(rv_proof_check_consistency(&proof, &old_head, &new_head), RV_PROOF_WRONG);
}

static void consistency_proofs_prove_growth_and_nothing_else(void **state)
{
    for (size_t newer = 0; newer <= LEAVES; newer++) {
        for (size_t older = 0; older <= newer; older++)
            check_consistency(older, newer);
    }
}

static void paths_are_those_of_tlog_tiles(void **state)
{
    static const struct {
        int level;
        uint64_t n;
        unsigned width;
        const char *path;
    } cases[] = {
        { 0, 0, 256, "tile/0/000" },
        { 0, 273, 112, "tile/0/273.p/112" },
        { 1, 1234067, 256, "tile/1/x001/x234/067" },
        { RV_TILE_ENTRIES, 1000, 1, "tile/entries/x001/000.p/1" },
        { 7, UINT64_MAX, 255, "tile/7/x018/x446/x744/x073/x709/x551/615.p/255" },
    };

    for (size_t i = 0; i < RV_COUNT(cases); i++) {
        char path[RV_TILE_PATH_MAX];

        rv_tile_path(path, cases[i].level, cases[i].n, cases[i].width);
        assert_string_equal(path, cases[i].path);
    }
    /* The example of the specification: 70,000 entries. */
    assert_int_equal(rv_tile_width(0, 272, 70000), 256);
    assert_int_equal(rv_tile_width(0, 273, 70000), 112);
    assert_int_equal(rv_tile_width(0, 274, 70000), 0);
    assert_int_equal(rv_tile_width(1, 0, 70000), 256);
    assert_int_equal(rv_tile_width(1, 1, 70000), 17);
    assert_int_equal(rv_tile_width(2, 0, 70000), 1);
    assert_int_equal(rv_tile_width(3, 0, 70000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_hashes_of_rfc_6962),
        cmocka_unit_test(roots_follow_the_definition),
        cmocka_unit_test(inclusion_proofs_prove_their_entry_and_no_other),
        cmocka_unit_test(consistency_proofs_prove_growth_and_nothing_else),
        cmocka_unit_test(paths_are_those_of_tlog_tiles),
    };

    return cmocka_run_group_tests(tests, make_leaves, NULL);
}
