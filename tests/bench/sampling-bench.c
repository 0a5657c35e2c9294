/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sampling-bench: what the sampling thread takes of a core while a process faults as fast as it can
 * and each fault is an event (perf-source, minor faults), against what it may take. By process and
 * by host; and what threads cost that do nothing. This program runs again under the name of a QEMU
 * to be that process. Needs root. */
#include <dirent.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample/perf-source.h"
#include "sample/sampler.h"

#define PAGE      4096
#define RAM_BYTES (96 * 1024 * 1024)
#define UUID      "0f0a3d5e-8c1b-4d57-9a0e-5f4a3b5c6d7e"
#define NAME      "faulter"
#define PLAYER    "qemu-system-bench"

typedef struct {
    const char *by; /* "process", "host" */
    double limit;   /* share of a core */
    int idle;       /* threads that do nothing; 0: the one there is faults */
} Case;

typedef struct {
    guint64 samples, lost, drain_nsec, thread_nsec, period, faults, fault_nsec;
    gint64 usec; /* when this was so */
} Reading;

/* ---- The process that is sampled: "PLAYER -uuid UUID THREADS". ---- */

static void *
map_shared(const char *path, gsize bytes)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *memory = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, (off_t) bytes) == 0)
        memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    return memory;
}

static void *
wait_for_ever(void *data)
{
    while (TRUE)
        pause();
    return NULL;
}

/* Its pages stay in the page cache, so that each touch is a minor fault on the same frame. */
static void
fault_for_ever(guint8 *ram, guint64 *faults)
{
    while (TRUE) {
        madvise(ram, RAM_BYTES, MADV_DONTNEED);
        for (gsize at = 0; at < RAM_BYTES; at += PAGE) {
            ram[at] = 1;
            __atomic_fetch_add(faults, 1, __ATOMIC_RELAXED);
        }
    }
}

/* The last file to appear: whoever waits for it finds all. It is locked as QEMU's is. */
static gboolean
write_pid_file(void)
{
    const struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
    const int fd = open("pid", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    return fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0 && dprintf(fd, "%d", getpid()) > 0 &&
           rename("pid", NAME ".pid") == 0;
}

static int
play(int n_idle)
{
    guint8 *ram = map_shared("ram", RAM_BYTES);
    guint64 *faults = map_shared("faults", PAGE);
    pthread_t thread;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (ram == MAP_FAILED || faults == MAP_FAILED)
        return 2;
    memset(ram, 1, RAM_BYTES);
    for (int i = 0; i < n_idle; i++) {
        if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
            return 2;
    }
    if (!write_pid_file())
        return 2;
    if (n_idle == 0)
        fault_for_ever(ram, faults);
    wait_for_ever(NULL);
    return 0;
}

/* ---- Who samples it. ---- */

typedef struct {
    char *dir;
    pid_t pid;
    guint64 *faults;
    FolioProcess *process;
    FolioGuestRam *ram;
    FolioSampler *sampler;
    FolioSampled *guest;
} Run;

static void G_GNUC_NORETURN
die(const char *what, const GError *error)
{
    g_printerr("sampling-bench: %s: %s\n", what,
               error != NULL ? error->message : g_strerror(errno));
    exit(1);
}

static void
start_player(Run *run, const char *own_path, int n_idle)
{
    g_autofree char *path = g_build_filename(run->dir, PLAYER, NULL);
    g_autofree char *pid_file = g_build_filename(run->dir, NAME ".pid", NULL);
    g_autofree char *faults = g_build_filename(run->dir, "faults", NULL);
    g_autofree char *threads = g_strdup_printf("%d", n_idle);
    char *arguments[] = { path, (char[]){ "-uuid" }, (char[]){ UUID }, threads, NULL };
    g_autoptr(GError) error = NULL;
    g_autofree char *program = NULL;
    gsize size = 0;

    if (!g_file_get_contents(own_path, &program, &size, &error) ||
        !g_file_set_contents_full(path, program, (gssize) size, G_FILE_SET_CONTENTS_NONE, 0700,
                                  &error) ||
        !g_spawn_async(run->dir, arguments, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &run->pid,
                       &error))
        die("starting the process to sample", error);
    while (access(pid_file, F_OK) != 0 && waitpid(run->pid, NULL, WNOHANG) == 0)
        g_usleep(10000);
    run->faults = map_shared(faults, PAGE);
}

static void
find_player(Run *run)
{
    const FolioProcessQuery query = {
        .proc_root = "/proc", .run_dir = run->dir, .name = NAME, .uuid = UUID
    };
    const FolioRamSpec spec = { FOLIO_RAM_MAIN, FOLIO_BACKING_FILE, 0, RAM_BYTES, NULL };
    FolioReason reason = FOLIO_REASON_NONE;
    g_autoptr(GError) error = NULL;

    run->process = folio_process_locate(&query, &reason, &error);
    if (run->process == NULL)
        die("finding the process to sample", error);
    run->ram = folio_guest_ram_locate(run->process, &spec, 1, "/sys", &reason, &error);
    if (run->ram == NULL)
        die("finding its RAM", error);
}

static void
start_sampling(Run *run, const Case *bench)
{
    const FolioSamplerSettings settings = { .cpu_share = bench->limit, .epoch_msec = 1000 };
    FolioPerfSourceOptions options = folio_perf_minor_faults;

    options.whole_host = g_str_equal(bench->by, "host");
    run->sampler = folio_sampler_new("/proc");
    folio_sampler_configure(run->sampler, folio_perf_source_new(&options), &settings);
    run->guest = folio_sampler_add(run->sampler, run->process, run->ram, NULL, NULL);
}

static void
end_run(Run *run)
{
    static const char *const files[] = { PLAYER, NAME ".pid", "ram", "faults" };

    folio_sampled_remove(run->guest);
    folio_sampler_free(run->sampler);
    folio_guest_ram_free(run->ram);
    folio_process_unref(run->process);
    kill(run->pid, SIGKILL);
    waitpid(run->pid, NULL, 0);
    munmap(run->faults, PAGE);
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(run->dir, files[i], NULL);

        unlink(path);
    }
    rmdir(run->dir);
    g_free(run->dir);
}

/* The first number of a schedstat: nanoseconds that the thread has run. */
static guint64
read_schedstat(const char *path)
{
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

/* Of our thread of that name. */
static guint64
thread_nsec(const char *name)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/task", 0, NULL);
    const char *tid = NULL;

    while (dir != NULL && (tid = g_dir_read_name(dir)) != NULL) {
        g_autofree char *comm_path = g_build_filename("/proc/self/task", tid, "comm", NULL);
        g_autofree char *path = g_build_filename("/proc/self/task", tid, "schedstat", NULL);
        g_autofree char *comm = NULL;

        if (g_file_get_contents(comm_path, &comm, NULL, NULL) &&
            g_str_equal(g_strchomp(comm), name))
            return read_schedstat(path);
    }
    return 0;
}

static Reading
take_reading(const Run *run)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/schedstat", run->pid);
    FolioSamplingFigures figures = { 0 };
    FolioSamplingHostFigures host = { 0 };
    Reading reading = { .usec = g_get_monotonic_time(),
                        .faults = __atomic_load_n(run->faults, __ATOMIC_RELAXED),
                        .fault_nsec = read_schedstat(path) };

    if (run->sampler == NULL)
        return reading;
    folio_sampled_get_figures(run->guest, &figures);
    folio_sampler_get_host_figures(run->sampler, &host);
    reading.samples = host.by_host ? host.samples : figures.samples + figures.unmapped;
    reading.lost = figures.lost;
    reading.drain_nsec = host.by_host ? host.cpu_nsec : figures.cpu_nsec;
    reading.thread_nsec = thread_nsec("sampler");
    reading.period = figures.period;
    if (figures.state != FOLIO_SAMPLING_ON && figures.state != FOLIO_SAMPLING_PAUSED)
        g_printerr("sampling-bench: %s\n", figures.error);
    return reading;
}

static void
wait_seconds(double seconds)
{
    g_usleep((gulong) (seconds * G_USEC_PER_SEC));
}

static double
per_second(guint64 before, guint64 after, double seconds)
{
    return (double) (after - before) / seconds;
}

static double
nsec_a_fault(const Reading *before, const Reading *after)
{
    return (double) (after->fault_nsec - before->fault_nsec) /
           (double) MAX(after->faults - before->faults, 1);
}

static double
drain_share(const Reading *before, const Reading *after)
{
    return (double) (after->drain_nsec - before->drain_nsec) / 1000 /
           (double) (after->usec - before->usec);
}

/* Until the period has settled, then as long. Returns the largest share of any two seconds (the
 * figures are a second apart). */
static double
measure(const Run *run, double seconds, Reading *begin, Reading *end)
{
    double worst = 0;
    Reading last;

    wait_seconds(seconds);
    *begin = last = take_reading(run);
    for (double done = 0; done < seconds; done += 2) {
        wait_seconds(2);
        *end = take_reading(run);
        worst = MAX(worst, drain_share(&last, end));
        last = *end;
    }
    return worst;
}

static void
add_number(JsonBuilder *json, const char *name, double value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_double_value(json, value);
}

static void
report(const Case *bench, const Reading *readings, double worst, JsonBuilder *json)
{
    const Reading *before = &readings[2], *after = &readings[3];
    const double seconds = (double) (after->usec - before->usec) / G_USEC_PER_SEC;
    const double samples = per_second(before->samples, after->samples, seconds);
    const double drain = drain_share(before, after);
    const double thread = per_second(before->thread_nsec, after->thread_nsec, seconds) / 1e9;
    const double faults = per_second(before->faults, after->faults, seconds);
    const double slower =
        bench->idle > 0 ? 1
                        : nsec_a_fault(before, after) / nsec_a_fault(&readings[0], &readings[1]);

    if (json == NULL) {
        printf("%-8s %6.2f%% %6d %10.0f %9.0f %8.0f %8" G_GUINT64_FORMAT
               " %7.3f%% %8.2f %6.2f %7.3f%% %7.3f\n",
               bench->by, bench->limit * 100, bench->idle, faults, samples,
               per_second(before->lost, after->lost, seconds), after->period, drain * 100,
               drain / bench->limit, worst / bench->limit, thread * 100, slower);
        return;
    }
    json_builder_begin_object(json);
    json_builder_set_member_name(json, "by");
    json_builder_add_string_value(json, bench->by);
    add_number(json, "limit", bench->limit);
    add_number(json, "idle_threads", bench->idle);
    add_number(json, "faults_per_second", faults);
    add_number(json, "samples_per_second", samples);
    add_number(json, "lost_per_second", per_second(before->lost, after->lost, seconds));
    add_number(json, "period", (double) after->period);
    add_number(json, "drain_share", drain);
    add_number(json, "drain_share_of_limit", drain / bench->limit);
    add_number(json, "worst_share_of_limit", worst / bench->limit);
    add_number(json, "thread_share", thread);
    add_number(json, "fault_cost_ratio", slower);
    json_builder_end_object(json);
}

static void
run_case(const Case *bench, const char *own_path, double seconds, JsonBuilder *json)
{
    Run run = { .dir = g_strdup("/dev/shm/foliod-bench.XXXXXX") };
    Reading readings[4] = { 0 }; /* without sampling: begin, end; with: begin, end */

    if (mkdtemp(run.dir) == NULL)
        die(run.dir, NULL);
    start_player(&run, own_path, bench->idle);
    find_player(&run);
    readings[0] = take_reading(&run);
    wait_seconds(seconds / 4);
    readings[1] = take_reading(&run);
    start_sampling(&run, bench);
    report(bench, readings, measure(&run, seconds, &readings[2], &readings[3]), json);
    fflush(stdout);
    end_run(&run);
}

int
main(int argc, char **argv)
{
    static const Case cases[] = {
        { "process", 0.002, 0 }, { "process", 0.01, 0 },   { "host", 0.002, 0 },
        { "host", 0.01, 0 },     { "process", 0.01, 512 }, { "host", 0.01, 512 },
    };
    g_autoptr(JsonBuilder) json = NULL;
    double seconds = 20;
    gboolean as_json = FALSE;
    const GOptionEntry entries[] = {
        { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds, "To measure for, after as many", "N" },
        { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, "Print JSON", NULL },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;

    if (argc == 4 && g_str_has_suffix(argv[0], "/" PLAYER))
        return play(atoi(argv[3]));
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error))
        die("options", error);
    if (as_json) {
        json = json_builder_new();
        json_builder_begin_array(json);
    } else {
        printf("%-8s %7s %6s %10s %9s %8s %8s %8s %8s %6s %8s %7s\n", "by", "limit", "idle",
               "faults/s", "samples/s", "lost/s", "period", "drain", "of limit", "worst", "thread",
               "slower");
    }
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        run_case(&cases[i], "/proc/self/exe", seconds, json);
    if (as_json) {
        json_builder_end_array(json);
        printf("%s\n", json_to_string(json_builder_get_root(json), TRUE));
    }
    return 0;
}
