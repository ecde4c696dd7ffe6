/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forests as BPF instructions. Registers: r6 context, r7 scratch value, r9 the sum, r0 to r2 work.
 * A split loads its feature and jumps; the child that training saw more often falls through. A leaf
 * adds and jumps to the next tree; a tree's last leaf falls into it. The last one or two levels,
 * where rows part most evenly and a jump would mispredict, are computed without jumps: measured
 * 1.5 to 1.9 times faster on forests whose splits are hard to predict. The verifier follows a tree
 * once for each of its leaves and joins the states at the tree's end, so the cost of verifying
 * grows with the number of nodes, not of paths.
 */
#include "kernel_private.h"

#include <linux/bpf.h>

#define ROW_OFFSET(feature)                                                                        \
    ((int16_t)(offsetof(struct rv_kernel_score, row) + (size_t)(feature) * sizeof(__s32)))

/* Mispredictions expected of one pass, above which the longer straight code is faster. */
#define SELECT_ONE_DOUBT 0.05
#define SELECT_TWO_DOUBT 0.25

struct emitter {
    struct rv_buf *code;
    const struct rv_forest_node *tree;
};

/* ---- Single instructions ---- */

static size_t here(const struct emitter *emitter)
{
    return emitter->code->len / sizeof(struct bpf_insn);
}

static void put(struct emitter *emitter, struct bpf_insn insn)
{
    rv_buf_add(emitter->code, &insn, sizeof(insn));
}

static void put_load(struct emitter *emitter, uint8_t size, uint8_t to, uint8_t from, int16_t off)
{
    put(emitter, (struct bpf_insn){ .code = (uint8_t)(BPF_LDX | BPF_MEM | size),
                                    .dst_reg = to & 15U,
                                    .src_reg = from & 15U,
                                    .off = off });
}

static void put_store(struct emitter *emitter, uint8_t size, uint8_t to, int16_t off, uint8_t from)
{
    put(emitter, (struct bpf_insn){ .code = (uint8_t)(BPF_STX | BPF_MEM | size),
                                    .dst_reg = to & 15U,
                                    .src_reg = from & 15U,
                                    .off = off });
}

static void put_alu(struct emitter *emitter, uint8_t op, uint8_t to, int32_t imm)
{
    put(emitter, (struct bpf_insn){
                     .code = (uint8_t)(BPF_ALU64 | BPF_K | op), .dst_reg = to & 15U, .imm = imm });
}

static void put_move(struct emitter *emitter, uint8_t to, uint8_t from)
{
    put(emitter, (struct bpf_insn){ .code = BPF_ALU64 | BPF_X | BPF_MOV,
                                    .dst_reg = to & 15U,
                                    .src_reg = from & 15U });
}

static void put_alu_reg(struct emitter *emitter, uint8_t op, uint8_t to, uint8_t from)
{
    put(emitter, (struct bpf_insn){ .code = (uint8_t)(BPF_ALU64 | BPF_X | op),
                                    .dst_reg = to & 15U,
                                    .src_reg = from & 15U });
}

/* A 64-bit constant, or with `pseudo` a map's descriptor. */
static void put_wide(struct emitter *emitter, uint8_t to, uint8_t pseudo, uint64_t value)
{
    put(emitter, (struct bpf_insn){ .code = BPF_LD | BPF_DW | BPF_IMM,
                                    .dst_reg = to & 15U,
                                    .src_reg = pseudo & 15U,
                                    .imm = (int32_t)(uint32_t)value });
    put(emitter, (struct bpf_insn){ .imm = (int32_t)(uint32_t)(value >> 32) });
}

static void put_call(struct emitter *emitter, int32_t helper)
{
    put(emitter, (struct bpf_insn){ .code = BPF_JMP | BPF_CALL, .imm = helper });
}

/* Make the jump at `from` land on the next instruction. */
static int land_here(struct emitter *emitter, size_t from)
{
    size_t distance = here(emitter) - from - 1;
    struct bpf_insn insn;

    if (emitter->code->failed)
        return -ENOMEM;
    if (distance > INT16_MAX)
        return -E2BIG;
    memcpy(&insn, emitter->code->data + from * sizeof(insn), sizeof(insn));
    insn.off = (int16_t)distance;
    memcpy(emitter->code->data + from * sizeof(insn), &insn, sizeof(insn));
    return 0;
}

/* ---- Trees ---- */

/*
 * A leaf's jump to the end of its tree is not known yet: `pending` links such jumps through their
 * offsets (distance back to the one before; 0 ends the chain), so no list is needed.
 */
struct ends {
    size_t last; /* index + 1; 0: none */
};

static int put_end_jump(struct emitter *emitter, struct ends *ends)
{
    size_t at = here(emitter);
    size_t back = ends->last ? at - (ends->last - 1) : 0;

    if (back > INT16_MAX)
        return -E2BIG;
    put(emitter, (struct bpf_insn){ .code = BPF_JMP | BPF_JA, .off = (int16_t)back });
    ends->last = at + 1;
    return 0;
}

static int land_ends(struct emitter *emitter, struct ends *ends)
{
    while (ends->last) {
        size_t at = ends->last - 1;
        struct bpf_insn insn;
        int r;

        if (emitter->code->failed)
            return -ENOMEM;
        memcpy(&insn, emitter->code->data + at * sizeof(insn), sizeof(insn));
        ends->last = insn.off ? at - (size_t)insn.off + 1 : 0;
        r = land_here(emitter, at);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- Selecting without branches: where training saw rows go both ways, a jump mispredicts ---- */

/* Splits on the longest way down from here, this one included: 0 for a leaf. */
static unsigned height(const struct emitter *emitter, uint32_t index)
{
    const struct rv_forest_node *node = &emitter->tree[index];
    unsigned left, right;

    if (node->feature == RV_FOREST_LEAF)
        return 0;
    left = height(emitter, node->left);
    right = height(emitter, node->right);
    return 1 + (left > right ? left : right);
}

/* How often, of 1, a jump at this split goes the rarer way. */
static double doubt(const struct emitter *emitter, uint32_t index)
{
    const struct rv_forest_node *node = &emitter->tree[index];
    double left = (double)emitter->tree[node->left].cover;
    double right = (double)emitter->tree[node->right].cover;

    return left + right > 0 ? (left < right ? left : right) / (left + right) : 0.5;
}

/* Doubts of this split and, weighted by how often each is asked, of the two below it. */
static double doubt_of_two(const struct emitter *emitter, uint32_t index)
{
    const struct rv_forest_node *node = &emitter->tree[index];
    const uint32_t children[2] = { node->left, node->right };
    double covers = 0, sum = 0;

    for (size_t i = 0; i < 2; i++) {
        const struct rv_forest_node *child = &emitter->tree[children[i]];

        covers += (double)child->cover;
        if (child->feature != RV_FOREST_LEAF)
            sum += (double)child->cover * doubt(emitter, children[i]);
    }
    return doubt(emitter, index) + (covers > 0 ? sum / covers : 0.5);
}

/* The difference of two leaves must fit an immediate. */
static bool selectable(const struct emitter *emitter, uint32_t index)
{
    const struct rv_forest_node *node = &emitter->tree[index];
    const struct rv_forest_node *left = &emitter->tree[node->left];
    const struct rv_forest_node *right = &emitter->tree[node->right];
    int64_t difference = (int64_t)left->value - right->value;

    if (node->feature == RV_FOREST_LEAF)
        return true;
    if (left->feature == RV_FOREST_LEAF && right->feature == RV_FOREST_LEAF)
        return difference >= INT32_MIN && difference <= INT32_MAX;
    return selectable(emitter, node->left) && selectable(emitter, node->right);
}

static bool worth_selecting(const struct emitter *emitter, uint32_t index)
{
    switch (height(emitter, index)) {
    case 1:
        return doubt(emitter, index) > SELECT_ONE_DOUBT && selectable(emitter, index);
    case 2:
        return doubt_of_two(emitter, index) > SELECT_TWO_DOUBT && selectable(emitter, index);
    default:
        return false;
    }
}

/* The sign of row[feature] - value, spread by `shift` (RSH: 1 if the row goes left; ARSH: all ones)
 */
static void put_sign(struct emitter *emitter, const struct rv_forest_node *node, uint8_t to,
                     uint8_t shift)
{
    put_load(emitter, BPF_W, to, BPF_REG_7, ROW_OFFSET(node->feature));
    put_alu(emitter, BPF_LSH, to, 32);
    put_alu(emitter, BPF_ARSH, to, 32);
    put_alu(emitter, BPF_SUB, to, node->value);
    put_alu(emitter, shift, to, 63);
}

/*
 * `to` = what a leaf or a split over two leaves adds. By a product, not by a mask: newer verifiers
 * (6.12.95) follow `s>>= 63; &= constant` once for each sign, two ways a tree, to the limit of a
 * million instructions.
 */
static void put_small(struct emitter *emitter, uint32_t index, uint8_t to)
{
    const struct rv_forest_node *node = &emitter->tree[index];
    int32_t left, right;

    if (node->feature == RV_FOREST_LEAF) {
        put_alu(emitter, BPF_MOV, to, node->value);
        return;
    }
    left = emitter->tree[node->left].value;
    right = emitter->tree[node->right].value;
    put_sign(emitter, node, to, BPF_RSH);
    put_alu(emitter, BPF_MUL, to, left - right);
    put_alu(emitter, BPF_ADD, to, right);
}

static void put_selected(struct emitter *emitter, uint32_t index)
{
    const struct rv_forest_node *node = &emitter->tree[index];

    if (height(emitter, index) == 1) {
        put_small(emitter, index, BPF_REG_0);
    } else {
        put_small(emitter, node->left, BPF_REG_0);
        put_small(emitter, node->right, BPF_REG_1);
        put_sign(emitter, node, BPF_REG_2, BPF_ARSH);
        put_alu_reg(emitter, BPF_SUB, BPF_REG_0, BPF_REG_1);
        put_alu_reg(emitter, BPF_AND, BPF_REG_0, BPF_REG_2);
        put_alu_reg(emitter, BPF_ADD, BPF_REG_0, BPF_REG_1);
    }
    put_alu_reg(emitter, BPF_ADD, BPF_REG_9, BPF_REG_0);
}

static int put_subtree(struct emitter *emitter, uint32_t index, bool last, struct ends *ends)
{
    const struct rv_forest_node *node = &emitter->tree[index];
    bool left_falls;
    size_t jump;
    int r;

    if (node->feature == RV_FOREST_LEAF) {
        put_alu(emitter, BPF_ADD, BPF_REG_9, node->value);
        return last ? 0 : put_end_jump(emitter, ends);
    }
    if (worth_selecting(emitter, index)) {
        put_selected(emitter, index);
        return last ? 0 : put_end_jump(emitter, ends);
    }
    left_falls = emitter->tree[node->left].cover >= emitter->tree[node->right].cover;
    put_load(emitter, BPF_W, BPF_REG_0, BPF_REG_7, ROW_OFFSET(node->feature));
    jump = here(emitter);
    put(emitter, (struct bpf_insn){
                     .code = (uint8_t)(BPF_JMP32 | BPF_K | (left_falls ? BPF_JSGE : BPF_JSLT)),
                     .dst_reg = BPF_REG_0,
                     .imm = node->value });
    r = put_subtree(emitter, left_falls ? node->left : node->right, false, ends);
    if (r == 0)
        r = land_here(emitter, jump);
    if (r < 0)
        return r;
    return put_subtree(emitter, left_falls ? node->right : node->left, last, ends);
}

static int put_forest(struct emitter *emitter, const struct rv_forest *forest)
{
    struct rv_forest_spec spec = rv_forest_spec_of(forest);
    const struct rv_forest_node *tree = spec.nodes;

    put_wide(emitter, BPF_REG_9, 0, (uint64_t)spec.base_q16);
    for (size_t i = 0; i < spec.tree_count; i++) {
        struct ends ends = { 0 };
        int r;

        emitter->tree = tree;
        r = put_subtree(emitter, 0, true, &ends);
        if (r == 0)
            r = land_ends(emitter, &ends);
        if (r < 0)
            return r;
        tree += spec.tree_sizes[i];
    }
    return 0;
}

/* ---- Programs ---- */

/* The key of the row goes to the stack: 0, or the cursor, which then moves on. */
static void put_key(struct emitter *emitter, const struct emit_source *source)
{
    if (source->cursor_fd < 0) {
        put(emitter, (struct bpf_insn){
                         .code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .off = -4 });
        return;
    }
    put_wide(emitter, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, (uint32_t)source->cursor_fd);
    put_load(emitter, BPF_W, BPF_REG_2, BPF_REG_1, 0);
    put_move(emitter, BPF_REG_3, BPF_REG_2);
    put_alu(emitter, BPF_ADD, BPF_REG_3, 1);
    put_store(emitter, BPF_W, BPF_REG_1, 0, BPF_REG_3);
    put_alu(emitter, BPF_AND, BPF_REG_2, (int32_t)source->mask);
    put_store(emitter, BPF_W, BPF_REG_10, -4, BPF_REG_2);
}

/* r7 = the scratch value. @return the jump to land where the program ends. */
static size_t put_prologue(struct emitter *emitter, const struct emit_source *source)
{
    size_t jump;

    put_move(emitter, BPF_REG_6, BPF_REG_1);
    put_key(emitter, source);
    put_move(emitter, BPF_REG_2, BPF_REG_10);
    put_alu(emitter, BPF_ADD, BPF_REG_2, -4);
    put_wide(emitter, BPF_REG_1, BPF_PSEUDO_MAP_FD, (uint32_t)source->map_fd);
    put_call(emitter, BPF_FUNC_map_lookup_elem);
    /* Not found cannot happen; the verifier wants it asked. A jump over everything would not
     * reach, so the good case jumps over an exit. */
    jump = here(emitter);
    put(emitter, (struct bpf_insn){ .code = BPF_JMP | BPF_K | BPF_JNE, .dst_reg = BPF_REG_0 });
    put(emitter, (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT });
    return jump;
}

static void put_tail_call(struct emitter *emitter, int slots_fd, uint32_t slot)
{
    put_move(emitter, BPF_REG_1, BPF_REG_6);
    put_wide(emitter, BPF_REG_2, BPF_PSEUDO_MAP_FD, (uint32_t)slots_fd);
    put_alu(emitter, BPF_MOV, BPF_REG_3, (int32_t)slot);
    put_call(emitter, BPF_FUNC_tail_call);
}

static void put_epilogue(struct emitter *emitter, const struct rv_kernel_place *place)
{
    if (place->slots_fd >= 0) {
        for (enum rv_kernel_slot next = place->slot + 1; next < RV_KERNEL_SLOTS; next++)
            put_tail_call(emitter, place->slots_fd, place->first_slot + next);
    }
    put_alu(emitter, BPF_MOV, BPF_REG_0, 0);
    put(emitter, (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT });
}

static int put_heads(struct emitter *emitter, const struct rv_kernel_model *model,
                     enum rv_kernel_slot slot)
{
    for (size_t head = 0; head < RV_KERNEL_HEADS; head++) {
        int r = 0;

        if (model->heads[head])
            r = put_forest(emitter, model->heads[head]);
        else
            put_alu(emitter, BPF_MOV, BPF_REG_9, 0);
        if (r < 0)
            return r;
        put_store(emitter, BPF_DW, BPF_REG_7,
                  (int16_t)offsetof(struct rv_kernel_score, score_q16[slot][head]), BPF_REG_9);
    }
    put_wide(emitter, BPF_REG_1, 0, model->digest);
    put_store(emitter, BPF_DW, BPF_REG_7, (int16_t)offsetof(struct rv_kernel_score, model[slot]),
              BPF_REG_1);
    return 0;
}

static bool fits(const struct rv_kernel_model *model)
{
    for (size_t head = 0; head < RV_KERNEL_HEADS; head++) {
        if (model->heads[head] && rv_forest_spec_of(model->heads[head]).width > RV_KERNEL_ROW)
            return false;
    }
    return true;
}

int kernel_emit(const struct rv_kernel_model *model, const struct rv_kernel_place *place,
                const struct emit_source *source, struct rv_buf *ret_code)
{
    struct emitter emitter = { .code = ret_code };
    size_t jump;
    int r;

    if (!fits(model) || place->slot > RV_KERNEL_SHADOW)
        return -EINVAL;
    jump = put_prologue(&emitter, source);
    r = land_here(&emitter, jump);
    if (r < 0)
        return r;
    put_move(&emitter, BPF_REG_7, BPF_REG_0);
    r = put_heads(&emitter, model, place->slot);
    if (r < 0)
        return r;
    put_epilogue(&emitter, place);
    return ret_code->failed ? -ENOMEM : 0;
}

int rv_kernel_emit(const struct rv_kernel_model *model, const struct rv_kernel_place *place,
                   struct rv_buf *ret_code)
{
    return kernel_emit(model, place, &(struct emit_source){ place->scratch_fd, -1, 0 }, ret_code);
}
