/* The engine in C: the same cores, devices and rounds as core.py and python_engine.py, on the same memories.
 *
 * Constants come from map.h, written from neurodeploy/chips/spinnaker_map.py when this is compiled.  The cores of a
 * round run side by side on several threads.  What they share -- semaphores, flags, the line to another core -- is
 * touched by each only when all cores before it in the round have finished, so that the result is that of one thread.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <unicorn/unicorn.h>

#include "map.h"

#define NEVER ((uint64_t)1 << 62)
#define SLOT_DEFAULT VIC_SLOTS
#define SLOT_NONE (VIC_SLOTS + 1)
#define DEEPEST 32
#define IRQ 1
#define FIQ 2
#define DMA_REGISTERS 128
#define FLAGS 0
#define SEMAPHORES 1
#define PATH_BUCKETS 4096
#define MOST_THREADS 16
#define WORTH_SHARING_NS 40000

typedef struct { uint32_t control, key, payload; } packet;
typedef struct { packet *items; size_t first, count, room; } queue;
typedef struct {
    uint64_t fire; /* NEVER: it does not count */
    uint32_t load, background, control;
    int raised, spent; /* spent: it has reached zero, and stays there until it is set again */
} timer;

struct machine;

typedef struct {
    uint8_t *sdram, *system_ram, *router;
    uint32_t *controller;
} chip;

typedef struct core {
    struct machine *machine;
    chip *home;
    int number, chip, physical, order;
    uc_engine *uc;
    uint8_t *itcm, *dtcm;
    uint32_t counter;
    int alive, halted, asked, yielded, failed, ready, delivered;
    atomic_int hung;
    uint64_t local, resume, ticks;
    uint32_t enabled, fast, soft, fallback, vectors[VIC_SLOTS], controls[VIC_SLOTS];
    int served[DEEPEST], depth;
    uint32_t unmasked[ITCM_SIZE / 128]; /* a bit an instruction: the one before it may clear an interrupt mask */
    timer timers[2];
    uint32_t dma[DMA_REGISTERS], transfers;
    uint32_t tx_control, tx_data;
    queue received, sent;
    int cpu_interrupt;
    struct { uint32_t counter, status; } *interrupted;
    size_t depth_interrupted, room_interrupted;
} core;

typedef struct path {
    struct path *next;
    uint32_t chip, key, fixed;
    int cores, counters;
    int *core;
    uint32_t **counter;
} path;

typedef void (*monitor_callback)(int chip);
typedef void (*path_callback)(int chip, uint32_t key, int fixed);
typedef void (*failed_callback)(int core, int uc_error, const uint32_t *registers);
typedef void (*router_callback)(int chip, uint32_t offset, uint32_t value);

/* What one thread does now: a watcher may stop `running`, and nothing else, under the lock. */
typedef struct {
    struct machine *machine;
    pthread_t thread;
    pthread_mutex_t lock;
    core *running;
    long long since;
} hand;

typedef struct machine {
    int chips, threads, called;
    chip *chip;
    core **cores; /* by number */
    core **alive; /* in the order of their numbers */
    int living;
    uint64_t now, rounds, packets, horizon;
    core **round;
    int round_size;
    path *paths[PATH_BUCKETS];
    path *found;
    monitor_callback monitor;
    path_callback ask_path;
    failed_callback tell_failed;
    router_callback router_written;
    /* threads */
    hand hands[MOST_THREADS];
    pthread_mutex_t lock;
    pthread_cond_t begin, end;
    int generation, working, closing;
    atomic_int next_core, prefix;
    atomic_int *done;
    long long last_ns;
} machine;

static long long nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ------------------------------------------------------------------------------------------------ queues */

static void push(queue *q, packet p)
{
    if (q->count == q->room) {
        size_t room = q->room ? 2 * q->room : 64;
        packet *items = malloc(room * sizeof *items);
        for (size_t i = 0; i < q->count; i++)
            items[i] = q->items[(q->first + i) % q->room];
        free(q->items);
        q->items = items, q->first = 0, q->room = room;
    }
    q->items[(q->first + q->count++) % q->room] = p;
}

static packet pop(queue *q)
{
    packet p = q->items[q->first];
    q->first = (q->first + 1) % q->room, q->count--;
    return p;
}

/* -------------------------------------------------------------------------------------------- interrupts */

static uint32_t lines(const core *c)
{
    uint32_t r = c->soft | 1u << SOURCE_TX_EMPTY | 1u << SOURCE_TX_NOT_FULL;
    for (int i = 0; i < 2; i++)
        if (c->timers[i].raised && c->timers[i].control & TIMER_INTERRUPTS)
            r |= 1u << (i ? SOURCE_TIMER2 : SOURCE_TIMER1);
    if (c->transfers && c->dma[DMA_GLOBAL / 4] & DMA_DONE_INTERRUPTS)
        r |= 1u << SOURCE_DMA_DONE;
    if (c->cpu_interrupt)
        r |= 1u << SOURCE_CPU;
    if (c->received.count) {
        int fixed = (c->received.items[c->received.first].control & PACKET_TYPE) == PACKET_FIXED_ROUTE;
        r |= 1u << SOURCE_PACKET_READY | 1u << (fixed ? SOURCE_FIXED_ROUTE : SOURCE_MULTICAST);
    }
    return r;
}

static int slot_of(const core *c, uint32_t slow)
{
    for (int s = 0; s < VIC_SLOTS; s++)
        if (c->controls[s] & VIC_SLOT_ON && slow >> (c->controls[s] & VIC_SLOT_SOURCE) & 1)
            return s;
    return SLOT_DEFAULT;
}

static int pending(const core *c)
{
    uint32_t on = lines(c) & c->enabled, slow = on & ~c->fast;
    int r = on & c->fast ? FIQ : 0;
    if (slow && slot_of(c, slow) < c->served[c->depth - 1])
        r |= IRQ;
    return r;
}

static uint32_t status_of(const core *c)
{
    uint32_t v;
    uc_reg_read(c->uc, UC_ARM_REG_CPSR, &v);
    return v;
}

static int deliverable(const core *c)
{
    int p = pending(c);
    if (!p)
        return 0;
    uint32_t status = status_of(c);
    if (p & FIQ && !(status & CPSR_NO_FIQ))
        return FIQ;
    return p & IRQ && !(status & CPSR_NO_IRQ) ? IRQ : 0;
}

static void stop_if_deliverable(core *c)
{
    if (deliverable(c)) {
        c->asked = 1;
        uc_emu_stop(c->uc);
    }
}

/* What writes the masks ends a block.  One hook for all blocks: of many, Unicorn would go through the list each time. */
static void on_block(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
    (void)uc, (void)size;
    core *c = data;
    if (c->unmasked[address / 128] >> (address / 4 & 31) & 1)
        stop_if_deliverable(c);
}

/* Unicorn stores by a detour, many times slower, to pages that may be executed. */
static bool fill_page(uc_engine *uc, uint64_t address, uc_mem_type access, uc_tlb_entry *page, void *data)
{
    (void)uc, (void)data;
    int code = address < ITCM_BASE + ITCM_SIZE || address == TRAMPOLINE || access == UC_MEM_FETCH;
    page->paddr = address;
    page->perms = UC_PROT_READ | UC_PROT_WRITE | (code ? UC_PROT_EXEC : 0);
    return true;
}

static int take_interrupt(core *c)
{
    int kind = deliverable(c);
    if (!kind)
        return 0;
    uint32_t status = status_of(c), back = TRAMPOLINE + 4, saved = status & ~(uint32_t)CPSR_THUMB;
    uint32_t masks = CPSR_NO_IRQ | (kind == FIQ ? CPSR_NO_FIQ : 0);
    uint32_t entered = (status & ~(uint32_t)(CPSR_MODE | CPSR_THUMB)) | masks | (kind == FIQ ? MODE_FIQ : MODE_IRQ);
    if (c->depth_interrupted == c->room_interrupted) {
        c->room_interrupted = c->room_interrupted ? 2 * c->room_interrupted : 16;
        c->interrupted = realloc(c->interrupted, c->room_interrupted * sizeof *c->interrupted);
    }
    c->interrupted[c->depth_interrupted].counter = c->counter;
    c->interrupted[c->depth_interrupted++].status = status;
    uc_reg_write(c->uc, UC_ARM_REG_CPSR, &entered);
    uc_reg_write(c->uc, UC_ARM_REG_LR, &back);
    uc_reg_write(c->uc, UC_ARM_REG_SPSR, &saved);
    c->counter = kind == FIQ ? VECTOR_FIQ : VECTOR_IRQ;
    return 1;
}

/* ------------------------------------------------------------------------------------------------ devices */

static uint64_t next_of_timer(const timer *t)
{
    return t->control & TIMER_INTERRUPTS && !t->spent ? t->fire : NEVER;
}

static uint64_t next_of(const core *c)
{
    uint64_t a = next_of_timer(&c->timers[0]), b = next_of_timer(&c->timers[1]);
    uint64_t n = a < b ? a : b;
    return n < c->resume ? n : c->resume;
}

static uint64_t prescale(const timer *t)
{
    static const uint64_t factors[4] = {1, 16, 256, 1};
    return factors[t->control >> TIMER_PRESCALE_SHIFT & 3];
}

static int expire(timer *t, uint64_t now)
{
    if (next_of_timer(t) > now)
        return 0;
    t->raised = 1;
    t->spent = !(t->control & TIMER_PERIODIC && !(t->control & TIMER_ONE_SHOT) && t->background);
    if (!t->spent)
        t->fire += t->background * prescale(t);
    return 1;
}

static uint64_t timer_read(uc_engine *uc, uint64_t offset, unsigned size, void *data)
{
    (void)size;
    core *c = data;
    timer *t = &c->timers[offset / TIMER_SECOND & 1];
    switch (offset % TIMER_SECOND) {
    case TIMER_LOAD:
        return t->load;
    case TIMER_COUNT:
        c->local += COUNT_READ_CYCLES;
        if (c->local - c->machine->now > QUANTUM_CYCLES
            && (c->machine->round_size > 1 || c->sent.count || c->machine->horizon < c->local
                || next_of(c) < c->local)) {
            c->yielded = 1;
            uc_emu_stop(uc);
        }
        if (t->fire == NEVER)
            return t->load;
        int64_t left = (int64_t)t->fire - (int64_t)c->local, by = (int64_t)prescale(t);
        if (left < 0 && t->control & (TIMER_PERIODIC | TIMER_ONE_SHOT))
            return 0;
        return (uint32_t)(left >= 0 ? left / by : -((-left + by - 1) / by));
    case TIMER_CONTROL:
        return t->control;
    case TIMER_RAW:
        return (uint64_t)t->raised;
    case TIMER_MASKED:
        return t->raised && t->control & TIMER_INTERRUPTS;
    case TIMER_BACKGROUND:
        return t->background;
    }
    return 0;
}

static void timer_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *data)
{
    (void)uc, (void)size;
    core *c = data;
    timer *t = &c->timers[offset / TIMER_SECOND & 1];
    uint32_t v = (uint32_t)value, counted;
    switch (offset % TIMER_SECOND) {
    case TIMER_LOAD:
        t->load = t->background = v;
        if (t->control & TIMER_ENABLED)
            t->fire = c->local + v * prescale(t), t->spent = 0;
        break;
    case TIMER_CONTROL:
        counted = t->control & TIMER_ENABLED;
        t->control = v;
        if (!(v & TIMER_ENABLED))
            t->fire = NEVER;
        else if (!counted)
            t->fire = c->local + t->load * prescale(t), t->spent = 0;
        break;
    case TIMER_CLEAR:
        t->raised = 0;
        break;
    case TIMER_BACKGROUND:
        t->background = v;
    }
}

static uint64_t vic_read(uc_engine *uc, uint64_t offset, unsigned size, void *data)
{
    (void)uc, (void)size;
    core *c = data;
    uint32_t slow = lines(c) & c->enabled & ~c->fast;
    if (offset == VIC_CURRENT) {
        int slot = slow ? slot_of(c, slow) : SLOT_DEFAULT;
        if (c->depth < DEEPEST)
            c->served[c->depth++] = slot;
        return slot == SLOT_DEFAULT ? c->fallback : c->vectors[slot];
    }
    if (offset >= VIC_VECTORS && offset < VIC_VECTORS + 4 * VIC_SLOTS)
        return c->vectors[(offset - VIC_VECTORS) / 4];
    if (offset >= VIC_CONTROLS && offset < VIC_CONTROLS + 4 * VIC_SLOTS)
        return c->controls[(offset - VIC_CONTROLS) / 4];
    switch (offset) {
    case VIC_IRQ_STATUS:
        return slow;
    case VIC_FIQ_STATUS:
        return lines(c) & c->enabled & c->fast;
    case VIC_RAW:
        return lines(c);
    case VIC_SELECT:
        return c->fast;
    case VIC_ENABLE:
        return c->enabled;
    case VIC_DEFAULT:
        return c->fallback;
    }
    return 0;
}

static void vic_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *data)
{
    (void)uc, (void)size;
    core *c = data;
    uint32_t v = (uint32_t)value;
    if (offset == VIC_ENABLE)
        c->enabled |= v;
    else if (offset == VIC_DISABLE)
        c->enabled &= ~v;
    else if (offset == VIC_SELECT)
        c->fast = v;
    else if (offset == VIC_SOFT_SET)
        c->soft |= v;
    else if (offset == VIC_SOFT_CLEAR)
        c->soft &= ~v;
    else if (offset == VIC_DEFAULT)
        c->fallback = v;
    else if (offset == VIC_CURRENT)
        c->depth -= c->depth > 1;
    else if (offset >= VIC_VECTORS && offset < VIC_VECTORS + 4 * VIC_SLOTS)
        c->vectors[(offset - VIC_VECTORS) / 4] = v;
    else if (offset >= VIC_CONTROLS && offset < VIC_CONTROLS + 4 * VIC_SLOTS)
        c->controls[(offset - VIC_CONTROLS) / 4] = v;
    if (offset == VIC_ENABLE || offset == VIC_SOFT_SET)
        stop_if_deliverable(c);
}

static uint8_t *within(uint32_t address, uint32_t length, uint32_t base, uint32_t size, uint8_t *memory)
{
    return address >= base && (uint64_t)address + length <= (uint64_t)base + size ? memory + (address - base) : NULL;
}

static int transfer(core *c, uint32_t descriptor)
{
    uint32_t length = descriptor & DMA_LENGTH, far = c->dma[DMA_SYSTEM / 4], near = c->dma[DMA_TCM / 4];
    uint8_t *system = within(far, length, SDRAM_BASE, SDRAM_SIZE, c->home->sdram);
    if (!system)
        system = within(far, length, SDRAM_UNBUFFERED, SDRAM_SIZE, c->home->sdram);
    if (!system)
        system = within(far, length, SYSTEM_RAM_BASE, SYSTEM_RAM_SIZE, c->home->system_ram);
    if (!system)
        system = within(far, length, SYSTEM_RAM_UNBUFFERED, SYSTEM_RAM_SIZE, c->home->system_ram);
    uint8_t *local = within(near, length, ITCM_BASE, ITCM_SIZE, c->itcm);
    if (!local)
        local = within(near, length, DTCM_BASE, DTCM_SIZE, c->dtcm);
    if (!system || !local)
        return 0;
    if (descriptor & DMA_TO_SYSTEM)
        memmove(system, local, length);
    else
        memmove(local, system, length);
    c->transfers++;
    c->local += DMA_SETUP_CYCLES + length / DMA_BYTES_PER_CYCLE;
    return 1;
}

static uint64_t dma_read(uc_engine *uc, uint64_t offset, unsigned size, void *data)
{
    (void)uc, (void)size;
    core *c = data;
    if (offset == DMA_STATUS)
        return (uint32_t)c->physical << DMA_CORE_SHIFT | (c->transfers ? DMA_DONE : 0);
    return offset / 4 < DMA_REGISTERS ? c->dma[offset / 4] : 0;
}

static void dma_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *data)
{
    (void)size;
    core *c = data;
    uint32_t v = (uint32_t)value;
    if (offset == DMA_DESCRIPTOR) {
        if (transfer(c, v)) {
            stop_if_deliverable(c);
        } else {
            c->failed = 1;
            uc_emu_stop(uc);
        }
    } else if (offset == DMA_CONTROL) {
        if (v & DMA_ABORT)
            c->transfers = 0;
        else if (v & DMA_CLEAR_DONE)
            c->transfers -= c->transfers > 0;
    } else if (offset / 4 < DMA_REGISTERS) {
        c->dma[offset / 4] = v;
    }
}

static uint64_t comms_read(uc_engine *uc, uint64_t offset, unsigned size, void *data)
{
    (void)uc, (void)size;
    core *c = data;
    if (offset == COMMS_TX_CONTROL)
        return (c->tx_control & 0x0FFFFFFF) | COMMS_TX_IDLE;
    if (!c->received.count)
        return 0;
    packet *first = &c->received.items[c->received.first];
    switch (offset) {
    case COMMS_RX_STATUS:
        return COMMS_RX_RECEIVED | first->control << COMMS_CONTROL_SHIFT;
    case COMMS_RX_DATA:
        return first->payload;
    case COMMS_RX_KEY:
        return pop(&c->received).key;
    }
    return 0;
}

static void comms_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *data)
{
    (void)uc, (void)size;
    core *c = data;
    if (offset == COMMS_TX_CONTROL) {
        c->tx_control = (uint32_t)value;
    } else if (offset == COMMS_TX_DATA) {
        c->tx_data = (uint32_t)value;
    } else if (offset == COMMS_TX_KEY) {
        uint32_t control = c->tx_control >> COMMS_CONTROL_SHIFT & 0xFF;
        push(&c->sent, (packet){control, (uint32_t)value, control & PACKET_PAYLOAD ? c->tx_data : 0});
    }
}

/* What cores share is touched in the order of the round, whatever runs side by side. */
static void wait_for_earlier(const core *c)
{
    for (int spins = 0; atomic_load(&c->machine->prefix) < c->order; spins++)
        if (spins > 200)
            sched_yield();
}

static uint64_t controller_read(uc_engine *uc, uint64_t offset, unsigned size, void *data)
{
    (void)uc, (void)size;
    core *c = data;
    uint32_t *shared = c->home->controller;
    if (offset == CONTROLLER_ID)
        return CHIP_ID;
    if (offset >= CONTROLLER_TEST_AND_SET && offset < CONTROLLER_TEST_AND_SET + 4 * CONTROLLER_SEMAPHORES) {
        wait_for_earlier(c);
        uint32_t bit = 1u << (offset - CONTROLLER_TEST_AND_SET) / 4, taken = shared[SEMAPHORES] & bit;
        shared[SEMAPHORES] |= bit;
        return taken ? 0x80000000u : 0;
    }
    if (offset >= CONTROLLER_RELEASE && offset < CONTROLLER_RELEASE + 4 * CONTROLLER_SEMAPHORES) {
        wait_for_earlier(c);
        shared[SEMAPHORES] &= ~(1u << (offset - CONTROLLER_RELEASE) / 4);
        return 0;
    }
    if (offset == CONTROLLER_FLAGS_SET) {
        wait_for_earlier(c);
        return shared[FLAGS];
    }
    return 0;
}

static void make_ready(core *c)
{
    c->ready = 1;
}

static void controller_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *data)
{
    (void)uc, (void)size;
    core *c = data;
    machine *m = c->machine;
    uint32_t v = (uint32_t)value;
    wait_for_earlier(c);
    if (offset == CONTROLLER_FLAGS_SET) {
        c->home->controller[FLAGS] |= v;
    } else if (offset == CONTROLLER_FLAGS_CLEAR) {
        c->home->controller[FLAGS] &= ~v;
    } else if ((offset == CONTROLLER_SET_INTERRUPT || offset == CONTROLLER_CLEAR_INTERRUPT)
               && v >> CONTROLLER_CODE_SHIFT == CONTROLLER_CODE) {
        int on = offset == CONTROLLER_SET_INTERRUPT;
        if (v & 1 && on) {
            m->called = 1;
            m->monitor(c->chip);
        }
        for (int i = c->chip * CORES_PER_CHIP + 1; i < (c->chip + 1) * CORES_PER_CHIP; i++) {
            core *other = m->cores[i];
            if (other && v & 0x3FFFF & 1u << other->physical) {
                other->cpu_interrupt = on;
                if (on)
                    make_ready(other);
            }
        }
    }
}

static uint64_t router_read(uc_engine *uc, uint64_t offset, unsigned size, void *data)
{
    (void)uc, (void)size;
    core *c = data;
    uint32_t v;
    memcpy(&v, c->home->router + (offset & ~(uint64_t)3), 4);
    return v;
}

static void router_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value, void *data)
{
    (void)uc, (void)size;
    core *c = data;
    wait_for_earlier(c);
    c->machine->called = 1;
    c->machine->router_written(c->chip, (uint32_t)offset & ~3u, (uint32_t)value);
}

/* ---------------------------------------------------------------------------------------------- execution */

static void fail(core *c, int error)
{
    uint32_t registers[12];
    for (int i = 0; i < 8; i++)
        uc_reg_read(c->uc, UC_ARM_REG_R0 + i, &registers[i]);
    uc_reg_read(c->uc, UC_ARM_REG_CPSR, &registers[8]);
    uc_reg_read(c->uc, UC_ARM_REG_SP, &registers[9]);
    uc_reg_read(c->uc, UC_ARM_REG_LR, &registers[10]);
    uc_reg_read(c->uc, UC_ARM_REG_PC, &registers[11]);
    wait_for_earlier(c);
    c->alive = 0;
    c->machine->called = 1;
    c->machine->tell_failed(c->number, error, registers);
}

static void run_core(core *c)
{
    machine *m = c->machine;
    if (c->local < m->now)
        c->local = m->now;
    c->resume = NEVER;
    for (;;) {
        if (take_interrupt(c))
            c->halted = 0;
        if (c->halted) {
            if (!pending(c))
                return;
            c->halted = 0;
        }
        uint32_t thumb = status_of(c) & CPSR_THUMB ? 1 : 0;
        uc_err error = uc_emu_start(c->uc, c->counter | thumb, 0xFFFFFFFF, 0, 0);
        if (error != UC_ERR_OK) {
            fail(c, (int)error);
            return;
        }
        uc_reg_read(c->uc, UC_ARM_REG_PC, &c->counter);
        if (c->hung || c->failed) {
            fail(c, c->hung ? 0 : UC_ERR_WRITE_UNMAPPED);
            return;
        }
        if (c->yielded) {
            c->yielded = c->asked = 0;
            c->resume = c->local;
            return;
        }
        int asked = c->asked;
        c->asked = 0;
        if (c->counter == TRAMPOLINE || c->counter == TRAMPOLINE + 4) {
            c->depth_interrupted--;
            c->counter = c->interrupted[c->depth_interrupted].counter;
            if (c->interrupted[c->depth_interrupted].status & CPSR_THUMB) {
                uint32_t status = status_of(c) | CPSR_THUMB;
                uc_reg_write(c->uc, UC_ARM_REG_CPSR, &status);
            }
        } else if (!asked) {
            c->halted = 1;
        }
    }
}

static void hold(hand *h, core *c)
{
    pthread_mutex_lock(&h->lock);
    h->running = c;
    h->since = c ? nanoseconds() : 0;
    pthread_mutex_unlock(&h->lock);
}

static void share_round(hand *h)
{
    machine *m = h->machine;
    int i;
    while ((i = atomic_fetch_add(&m->next_core, 1)) < m->round_size) {
        core *c = m->round[i];
        hold(h, c);
        run_core(c);
        hold(h, NULL);
        atomic_store(&m->done[i], 1);
        int seen = atomic_load(&m->prefix);
        while (seen < m->round_size && atomic_load(&m->done[seen])) {
            atomic_compare_exchange_strong(&m->prefix, &seen, seen + 1);
            seen = atomic_load(&m->prefix);
        }
    }
}

static void *worker(void *data)
{
    hand *h = data;
    machine *m = h->machine;
    int seen = 0;
    pthread_mutex_lock(&m->lock);
    for (;;) {
        while (m->generation == seen && !m->closing)
            pthread_cond_wait(&m->begin, &m->lock);
        if (m->closing)
            break;
        seen = m->generation;
        pthread_mutex_unlock(&m->lock);
        share_round(h);
        pthread_mutex_lock(&m->lock);
        if (--m->working == 0)
            pthread_cond_signal(&m->end);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

static void run_round(machine *m)
{
    int shared = m->threads > 1 && m->round_size > 1 && m->last_ns > WORTH_SHARING_NS;
    long long began = nanoseconds();
    atomic_store(&m->next_core, 0);
    atomic_store(&m->prefix, 0);
    for (int i = 0; i < m->round_size; i++) {
        m->round[i]->order = i;
        atomic_store(&m->done[i], 0);
    }
    if (shared) {
        pthread_mutex_lock(&m->lock);
        m->generation++;
        m->working = m->threads - 1;
        pthread_cond_broadcast(&m->begin);
        pthread_mutex_unlock(&m->lock);
    }
    share_round(&m->hands[0]);
    if (shared) {
        pthread_mutex_lock(&m->lock);
        while (m->working)
            pthread_cond_wait(&m->end, &m->lock);
        pthread_mutex_unlock(&m->lock);
    }
    if (m->round_size > 1)
        m->last_ns = (nanoseconds() - began) * (shared ? m->threads : 1);
}

/* ----------------------------------------------------------------------------------------------- packets */

static path *path_of(machine *m, int chip, uint32_t key, int fixed)
{
    uint32_t bucket = (key * 2654435761u ^ (uint32_t)chip * 40503u ^ (uint32_t)fixed) % PATH_BUCKETS;
    for (path *p = m->paths[bucket]; p; p = p->next)
        if (p->key == key && p->chip == (uint32_t)chip && p->fixed == (uint32_t)fixed)
            return p;
    m->found = NULL;
    m->ask_path(chip, key, fixed);
    path *p = m->found;
    if (!p)
        return NULL;
    p->chip = (uint32_t)chip, p->key = key, p->fixed = (uint32_t)fixed;
    p->next = m->paths[bucket];
    m->paths[bucket] = p;
    return p;
}

/* Called inside the question for a path: the answer. */
void machine_path(machine *m, int cores, const int *core, int counters, uint32_t **counter)
{
    path *p = calloc(1, sizeof *p);
    p->cores = cores, p->counters = counters;
    p->core = malloc(sizeof *core * (size_t)(cores + 1));
    p->counter = malloc(sizeof *counter * (size_t)(counters + 1));
    memcpy(p->core, core, sizeof *core * (size_t)cores);
    memcpy(p->counter, counter, sizeof *counter * (size_t)counters);
    m->found = p;
}

void machine_forget_paths(machine *m)
{
    for (int b = 0; b < PATH_BUCKETS; b++)
        while (m->paths[b]) {
            path *p = m->paths[b];
            m->paths[b] = p->next;
            free(p->core), free(p->counter), free(p);
        }
}

static void deliver(machine *m, core *c)
{
    while (c->sent.count) {
        packet sent = pop(&c->sent);
        m->packets++;
        path *p = path_of(m, c->chip, sent.key, (sent.control & PACKET_TYPE) == PACKET_FIXED_ROUTE);
        if (!p)
            continue;
        for (int i = 0; i < p->counters; i++)
            ++*p->counter[i];
        for (int i = 0; i < p->cores; i++) {
            core *target = m->cores[p->core[i]];
            if (target) {
                push(&target->received, sent);
                make_ready(target);
            }
        }
    }
}

/* ----------------------------------------------------------------------------------------- from outside */

machine *machine_new(int chips, int threads, monitor_callback monitor, path_callback ask_path,
                     failed_callback tell_failed, router_callback router_written)
{
    machine *m = calloc(1, sizeof *m);
    size_t most = (size_t)chips * CORES_PER_CHIP;
    m->chips = chips;
    m->threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
    m->chip = calloc((size_t)chips, sizeof *m->chip);
    m->cores = calloc(most, sizeof *m->cores);
    m->alive = calloc(most, sizeof *m->alive);
    m->round = calloc(most, sizeof *m->round);
    m->done = calloc(most, sizeof *m->done);
    m->monitor = monitor, m->ask_path = ask_path, m->tell_failed = tell_failed, m->router_written = router_written;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->begin, NULL);
    pthread_cond_init(&m->end, NULL);
    for (int i = 0; i < m->threads; i++) {
        m->hands[i].machine = m;
        pthread_mutex_init(&m->hands[i].lock, NULL);
        if (i && pthread_create(&m->hands[i].thread, NULL, worker, &m->hands[i]))
            m->threads = i;
    }
    return m;
}

void machine_chip(machine *m, int number, uint8_t *sdram, uint8_t *system_ram, uint8_t *router, uint32_t *controller)
{
    m->chip[number] = (chip){sdram, system_ram, router, controller};
}

static void list_living(machine *m)
{
    m->living = 0;
    for (int i = 0; i < m->chips * CORES_PER_CHIP; i++)
        if (m->cores[i])
            m->alive[m->living++] = m->cores[i];
}

void machine_stop(machine *m, int number)
{
    core *c = m->cores[number];
    if (!c)
        return;
    m->cores[number] = NULL;
    uc_close(c->uc);
    free(c->received.items), free(c->sent.items), free(c->interrupted), free(c);
    list_living(m);
}

int machine_start(machine *m, int number, int physical, uint8_t *itcm, uint8_t *dtcm, uint32_t entry, uint32_t register0)
{
    machine_stop(m, number);
    core *c = calloc(1, sizeof *c);
    c->machine = m, c->number = number, c->physical = physical, c->chip = number / CORES_PER_CHIP;
    c->home = &m->chip[c->chip];
    c->itcm = itcm, c->dtcm = dtcm, c->counter = entry, c->alive = 1, c->local = m->now, c->resume = NEVER;
    c->timers[0].fire = c->timers[1].fire = NEVER;
    c->served[0] = SLOT_NONE, c->depth = 1;
    uc_err e = uc_open(UC_ARCH_ARM, UC_MODE_ARM, &c->uc);
    if (e != UC_ERR_OK) {
        free(c);
        return (int)e;
    }
    uc_engine *uc = c->uc;
    e |= uc_ctl_set_cpu_model(uc, UC_CPU_ARM_946);
    e |= uc_ctl_set_page_size(uc, DEVICE_SIZE);
    e |= uc_ctl_tlb_mode(uc, UC_TLB_VIRTUAL);
    e |= uc_mem_map_ptr(uc, ITCM_BASE, ITCM_SIZE, UC_PROT_ALL, itcm);
    e |= uc_mem_map_ptr(uc, DTCM_BASE, DTCM_SIZE, UC_PROT_READ | UC_PROT_WRITE, dtcm);
    const uint32_t data = UC_PROT_READ | UC_PROT_WRITE;
    e |= uc_mem_map_ptr(uc, SDRAM_BASE, SDRAM_SIZE, data, c->home->sdram);
    e |= uc_mem_map_ptr(uc, SDRAM_UNBUFFERED, SDRAM_SIZE, data, c->home->sdram);
    e |= uc_mem_map_ptr(uc, SYSTEM_RAM_BASE, SYSTEM_RAM_SIZE, data, c->home->system_ram);
    e |= uc_mem_map_ptr(uc, SYSTEM_RAM_UNBUFFERED, SYSTEM_RAM_SIZE, data, c->home->system_ram);
    const struct {
        uint32_t base, size;
        uc_cb_mmio_read_t read;
        uc_cb_mmio_write_t write;
    } devices[] = {
        {COMMS_BASE, DEVICE_SIZE, comms_read, comms_write},
        {COMMS_UNBUFFERED, DEVICE_SIZE, comms_read, comms_write},
        {TIMER_BASE, DEVICE_SIZE, timer_read, timer_write},
        {TIMER_UNBUFFERED, DEVICE_SIZE, timer_read, timer_write},
        {VIC_BASE, DEVICE_SIZE, vic_read, vic_write},
        {VIC_UNBUFFERED, DEVICE_SIZE, vic_read, vic_write},
        {VIC_HIGH, DEVICE_SIZE, vic_read, vic_write},
        {DMA_BASE, DEVICE_SIZE, dma_read, dma_write},
        {DMA_UNBUFFERED, DEVICE_SIZE, dma_read, dma_write},
        {CONTROLLER_BASE, DEVICE_SIZE, controller_read, controller_write},
        {CONTROLLER_UNBUFFERED, DEVICE_SIZE, controller_read, controller_write},
        {ROUTER_BASE, ROUTER_SIZE, router_read, router_write},
        {ROUTER_UNBUFFERED, ROUTER_SIZE, router_read, router_write},
    };
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
        e |= uc_mmio_map(uc, devices[i].base, devices[i].size, devices[i].read, c, devices[i].write, c);
    const uint32_t sleep[2] = {WAIT_FOR_INTERRUPT, WAIT_FOR_INTERRUPT};
    e |= uc_mem_map(uc, TRAMPOLINE, DEVICE_SIZE, UC_PROT_ALL);
    e |= uc_mem_write(uc, TRAMPOLINE, sleep, sizeof sleep);
    const uint32_t masks = CPSR_NO_IRQ | CPSR_NO_FIQ;
    for (uint32_t a = 0; a + 4 < ITCM_SIZE; a += 4) {
        uint32_t w;
        memcpy(&w, itcm + a, 4);
        int from_register = (w & 0x0FF1FFF0) == 0x0121F000, immediate = (w & 0x0FF1F000) == 0x0321F000;
        if (from_register || (immediate && (w & 0xF00 || (w & masks) != masks)))
            c->unmasked[(a + 4) / 128] |= 1u << ((a + 4) / 4 & 31);
    }
    uc_hook hook;
    e |= uc_hook_add(uc, &hook, UC_HOOK_BLOCK, (void *)on_block, c, ITCM_BASE, ITCM_BASE + ITCM_SIZE - 1);
    e |= uc_hook_add(uc, &hook, UC_HOOK_TLB_FILL, (void *)fill_page, c, 1, 0);
    uint32_t status = MODE_SUPERVISOR | masks;
    e |= uc_reg_write(uc, UC_ARM_REG_CPSR, &status);
    e |= uc_reg_write(uc, UC_ARM_REG_R0, &register0);
    m->cores[number] = c;
    if (e != UC_ERR_OK) {
        machine_stop(m, number);
        return (int)e;
    }
    make_ready(c);
    list_living(m);
    return 0;
}

void machine_interrupt(machine *m, int number)
{
    core *c = m->cores[number];
    if (c) {
        c->cpu_interrupt = 1;
        make_ready(c);
    }
}

static void drop_failed(machine *m)
{
    for (int i = 0; i < m->round_size; i++)
        if (!m->round[i]->alive)
            machine_stop(m, m->round[i]->number);
}

static int advance_once(machine *m)
{
    int any = 0;
    for (int i = 0; i < m->living; i++)
        any |= m->alive[i]->ready;
    if (!any) {
        uint64_t upcoming = NEVER;
        for (int i = 0; i < m->living; i++) {
            uint64_t n = next_of(m->alive[i]);
            upcoming = n < upcoming ? n : upcoming;
        }
        if (upcoming == NEVER)
            return 0;
        m->now = upcoming > m->now ? upcoming : m->now;
        for (int i = 0; i < m->living; i++) {
            core *c = m->alive[i];
            if (next_of(c) <= m->now) {
                c->ticks += (uint64_t)expire(&c->timers[0], m->now);
                expire(&c->timers[1], m->now);
                make_ready(c);
            }
        }
    }
    m->round_size = 0;
    m->horizon = NEVER;
    for (int i = 0; i < m->living; i++) {
        core *c = m->alive[i];
        if (c->ready)
            m->round[m->round_size++] = c;
        else if (next_of(c) < m->horizon)
            m->horizon = next_of(c);
        c->ready = 0;
    }
    m->rounds++;
    run_round(m);
    for (int i = 0; i < m->round_size; i++)
        if (m->round[i]->alive)
            deliver(m, m->round[i]);
    drop_failed(m);
    return 1;
}

/* Run rounds for `ns` nanoseconds, or until something outside has been called; 0: nothing is left to do. */
int machine_advance(machine *m, long long ns)
{
    long long until = nanoseconds() + ns;
    m->called = 0;
    do
        if (!advance_once(m))
            return 0;
    while (!m->called && nanoseconds() < until);
    return 1;
}

/* Stop what has run for longer than `ns`; called from a thread of its own. */
void machine_watch(machine *m, long long ns)
{
    for (int i = 0; i < m->threads; i++) {
        hand *h = &m->hands[i];
        pthread_mutex_lock(&h->lock);
        if (h->running && nanoseconds() - h->since > ns) {
            atomic_store(&h->running->hung, 1);
            uc_emu_stop(h->running->uc);
        }
        pthread_mutex_unlock(&h->lock);
    }
}

uint64_t machine_now(const machine *m) { return m->now; }
uint64_t machine_rounds(const machine *m) { return m->rounds; }
uint64_t machine_packets(const machine *m) { return m->packets; }
uint64_t machine_ticks(const machine *m, int number) { return m->cores[number] ? m->cores[number]->ticks : 0; }

void machine_free(machine *m)
{
    pthread_mutex_lock(&m->lock);
    m->closing = 1;
    pthread_cond_broadcast(&m->begin);
    pthread_mutex_unlock(&m->lock);
    for (int i = 1; i < m->threads; i++)
        pthread_join(m->hands[i].thread, NULL);
    for (int i = 0; i < m->chips * CORES_PER_CHIP; i++)
        machine_stop(m, i);
    machine_forget_paths(m);
    free(m->chip), free(m->cores), free(m->alive), free(m->round), free((void *)m->done), free(m);
}
