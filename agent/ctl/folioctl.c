/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl: asks foliod over D-Bus and prints what it says. */
#include "base/log.h"
#include "build-config.h"
#include "ctl/options.h"
#include "ctl/remote.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

typedef enum {
    GUEST_NONE,
    GUEST_MAY,
    GUEST_MUST,
    GUEST_AND_MODE,
    GUEST_AND_BLOCKS,
    FILE_MUST,
} Argument;

/* Which options of their own verbs take. */
typedef enum {
    TAKES_PICTURE = 1 << 0, /* --svg, --png, --force */
    TAKES_BY = 1 << 1,
    TAKES_BLOCK = 1 << 2, /* --block, --top */
    TAKES_ORDER = 1 << 3,
    TAKES_RESTORE = 1 << 4,
    TAKES_SPARSE = 1 << 5, /* --sparse, --force */
    TAKES_ALL = 1 << 6,
} Takes;

typedef struct {
    const char *name;
    Argument argument;
    FolioVerbRun run;
    const char *summary;
    const char *help;
    guint takes;
} Verb;

/* As the usage says it, and how many words may and must follow the verb. */
static const struct {
    const char *usage;
    guint min, max;
    const char *missing; /* what the first is when it is missing */
} arguments[] = {
    [GUEST_NONE] = { "", 0, 0, "" },
    [GUEST_MAY] = { " [GUEST]", 0, 1, "guest" },
    [GUEST_MUST] = { " GUEST", 1, 1, "guest" },
    [GUEST_AND_MODE] = { " GUEST MODE", 2, 2, "mode" },
    [GUEST_AND_BLOCKS] = { " GUEST RANGE...", 1, G_MAXUINT, "range" },
    [FILE_MUST] = { " FILE", 1, 1, "file" },
};

static const char analyze_help[] =
    "FILE is a recording of Arm SPE, made on any machine with\n"
    "    perf record -e arm_spe_0/ts_enable=1,pa_enable=1,pct_enable=1,load_filter=1,store_filter=1/GH -a\n"
    "Neither foliod nor any privilege is needed. The summary says what was recorded and what was\n"
    "lost; the table has a line for each 2 MiB of physical memory: samples, distinct sub-pages of\n"
    "4 KiB that were sampled, how many of 512 were in use in a window by estimate, and the verdict:\n"
    "sparse (few sub-pages in use, now and lately: to be split), dense, undecided. The recording is\n"
    "cut into windows by time; a single window, and a file without timestamps, gives verdicts that\n"
    "nothing confirms, and they are marked so.\n"
    "\n"
    "  --window=DURATION  length of a window, such as 10s, 500ms, 2min (default: a tenth of the\n"
    "                     recording)\n"
    "  --sort=BY          samples (default) or address\n"
    "  --all              the whole table\n"
    "  --json             all of it as JSON\n"
    "  --records          every record instead, as text: fields separated by tabs, below the header\n"
    "                     time cpu tid op pc va pa events total_lat issue_lat xlat_lat\n"
    "                     time: ns of perf's clock (ticks of the timer where the file has no\n"
    "                     TIME_CONV); op: load, store, atomic, branch, other, unknown; pc, va, pa,\n"
    "                     events: 0x and hexadecimal digits, events being the bits of the packet;\n"
    "                     *_lat: cycles in total, until issue, for translation; \"-\": the record\n"
    "                     does not say. In the file's order, which within a buffer is by time.\n"
    "  --svg=OUT, --png=OUT\n"
    "                     a picture of blocks and sub-pages into a new file of mode 0600\n"
    "  --force            replace OUT\n"
    "  --pid=PID, --guest=NAME [--run-dir=DIR]\n"
    "                     on the recorded machine itself, while the process lives: blocks of its\n"
    "                     address space, or of the RAM of a guest that libvirt keeps NAME.pid and\n"
    "                     NAME.xml of in DIR (default /run/libvirt/qemu), instead of physical\n"
    "                     memory. Needs CAP_SYS_ADMIN. Prints a line for each range,\n"
    "                         sparse 0xSTART-0xEND\n"
    "                         dense 0xSTART-0xEND\n"
    "                     by address, END not included, multiples of 2 MiB, adjoining blocks as one\n"
    "                     range; nothing for other blocks. Frames are looked up now: what has moved\n"
    "                     since it was recorded is counted on standard error.\n"
    "\n"
    "A damaged file gives what was whole of it, and exit status 1.\n";

static const char heat_help[] =
    "What of its RAM was in use in the last window of samples, in 2 MiB blocks or in as many together\n"
    "as the terminal has cells: the colour (or letter) is the verdict, the digit how much was in use.\n"
    "Needs the polkit action org.foliod1.heat.\n"
    "\n"
    "  --by=time          the last windows from left to right, at most 120, in place of the verdicts;\n"
    "                     --by=sub-page is the default\n"
    "  --svg=OUT, --png=OUT\n"
    "                     a picture into a new file of mode 0600 instead: a row for each block, or for\n"
    "                     as many as it takes for one page; with --by=time a column for each window\n"
    "  --force            replace OUT\n"
    "  --json             all blocks as JSON\n"
    "\n"
    "Colours are used on a terminal, unless NO_COLOR is set or TERM is dumb.\n";

static const char explain_help[] =
    "What verdicts on its memory wait for, and for some blocks the verdict, what it rests on, and\n"
    "why it is none other: of each verdict those that are surest, of the undecided ones those with\n"
    "the least in reach. Then what foliod split and collapsed last of its own accord, and why.\n"
    "Needs the polkit action org.foliod1.heat.\n"
    "\n"
    "  --block=N          that block; blocks are numbered through all of the guest's RAM, from 0\n"
    "  --top=N            so many of each verdict, at most 64 (default 3)\n"
    "  --json             as JSON, with more figures\n";

#define act_help                                                                               \
    "RANGE is FIRST+COUNT, or FIRST COUNT as two words: numbers of 2 MiB blocks through the\n" \
    "RAM blocks that show lists, one after the other, from 0; or 0xSTART-0xEND, as analyze\n"  \
    "--pid prints it, within one of them, for which org.foliod1.heat is needed too. Several\n" \
    "ranges make one job.\n"                                                                   \
    "\n"                                                                                       \
    "Waits for the end of the job and says what became of its blocks, by the kernel's page\n"  \
    "flags. Exit status 6 when some are not as was wanted. Ctrl-C cancels the job, what is\n"  \
    "done stays done, and the exit status is 5; a second Ctrl-C leaves it to go on. Needs\n"   \
    "the polkit action org.foliod1.act.\n"                                                     \
    "\n"                                                                                       \
    "  --all      all of the guest, in place of ranges\n"

static const char split_help[] =
    act_help "  --sparse   the blocks whose verdict is sparse now, in place of ranges; needs\n"
             "             org.foliod1.heat too\n"
             "  --order=N  log2 pages of what is to be: 0 (default) to 8\n"
             "  --force    even if khugepaged would make huge pages of it again\n";

static const Verb verbs[] = {
    { "status", GUEST_NONE, folio_cmd_status, "foliod, libvirt, totals, and guests not served",
      "Version, libvirt connection, guests by state, their RAM in total and in huge\n"
      "pages, what kernel and machine offer, errors of the configuration, and each\n"
      "guest that is not served with the reason and the remedy.\n" },
    { "list", GUEST_NONE, folio_cmd_list, "the running guests, one a line",
      "RAM is what the guest has, PRESENT what of it is in memory, HUGE the part of\n"
      "that in huge pages, \"-\" what is not known.\n" },
    { "show", GUEST_MUST, folio_cmd_show, "everything of one guest",
      "State, reason, remedy and totals; then each block of RAM with its size, what is\n"
      "present, what is in huge pages, the huge= of its mount, address range and file.\n"
      "The blocks need the polkit action org.foliod1.heat, the rest org.foliod1.view.\n" },
    { "heat", GUEST_MUST, folio_cmd_heat, "what of a guest's RAM is in use", heat_help,
      TAKES_PICTURE | TAKES_BY },
    { "explain", GUEST_MUST, folio_cmd_explain, "why a guest's blocks have their verdicts",
      explain_help, TAKES_BLOCK },
    { "metrics", GUEST_NONE, folio_cmd_metrics, "figures for a monitoring system",
      "foliod's own and the totals of each guest, in the text format of Prometheus: made for\n"
      "the textfile collector of node_exporter. Guests go by their UUID; foliod_guest_info has\n"
      "their names.\n" },
    { "doctor", GUEST_MAY, folio_cmd_doctor, "what is missing on this host, and for a guest",
      "Each precondition of the host and, if one is named, of a guest: pass, warn or\n"
      "fail, and the remedy below. Exit status 1 when any check fails.\n" },
    { "monitor", GUEST_NONE, folio_cmd_monitor, "what happens, a line each, until Ctrl-C",
      "First what there is: foliod itself and each guest; then states, modes, the heat of\n"
      "each window, and jobs, as they change. With --json an object a line. Goes on when\n"
      "foliod is restarted. Exit status 0 after Ctrl-C.\n" },
    { "set-mode", GUEST_AND_MODE, folio_cmd_set_mode, "what may be done with a guest",
      "MODE is off, observe, split, collapse or adaptive. It comes before what the guest's\n"
      "metadata and the configuration say, until the next boot; \"default\" takes it back.\n"
      "Needs the polkit action org.foliod1.set-mode.\n" },
    { "split", GUEST_AND_BLOCKS, folio_cmd_split, "split huge pages of a guest", split_help,
      TAKES_ORDER | TAKES_SPARSE | TAKES_ALL },
    { "collapse", GUEST_AND_BLOCKS, folio_cmd_collapse, "make huge pages of a guest's memory",
      act_help, TAKES_ALL },
    { "restore", GUEST_MUST, folio_cmd_restore, "give back what was changed of a guest",
      "Collapses what foliod has split and puts khugepaged back as it was. Progress, Ctrl-C,\n"
      "exit status and rights are as of split.\n" },
    { "pause", GUEST_NONE, folio_cmd_pause, "nothing is sampled or changed any more",
      "Until resume or the next boot; jobs are cancelled. Needs the polkit action\n"
      "org.foliod1.manage.\n"
      "\n"
      "  --restore  and give back what was changed of each guest\n",
      TAKES_RESTORE },
    { "resume", GUEST_NONE, folio_cmd_resume, "go on after a pause",
      "Needs the polkit action org.foliod1.manage.\n" },
    { "reload", GUEST_NONE, folio_cmd_reload, "foliod reads its configuration again",
      "All or nothing: with any error the old configuration stays, and every error is\n"
      "printed. Needs the polkit action org.foliod1.manage.\n" },
    { "analyze", FILE_MUST, folio_cmd_analyze, "heat from a recording of perf, without foliod",
      analyze_help, TAKES_PICTURE | TAKES_ALL },
};

static const char exit_statuses[] =
    "Exit status: 0 done, 1 it failed (doctor: a check fails), 2 wrong usage,\n"
    "3 foliod is not running, 4 not permitted, 5 the job was cancelled, 6 the job is done\n"
    "and some blocks were left; with --host, 255 the host cannot be reached.\n";

typedef struct {
    gboolean json;
    gboolean help;
    gboolean version;
    gboolean all;
    char *host;
    FolioActOptions act;
    FolioAnalyzeOptions analyze;
    FolioPictureOptions picture;
    FolioHeatOptions heat;
    char **words;
} Options;

static void
options_clear(Options *options)
{
    folio_analyze_options_clear(&options->analyze);
    folio_picture_options_clear(&options->picture);
    g_strfreev(options->words);
    g_free(options->host);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static void
print_help(const Verb *verb)
{
    if (verb != NULL) {
        printf("Usage: folioctl [--json] %s%s\n\n%s", verb->name, arguments[verb->argument].usage,
               verb->help);
    } else {
        printf(
            "Usage: folioctl [OPTION...] VERB [ARGUMENT...]\n\nAsks foliod on this host.\n\nVerbs:\n");
        for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
            g_autofree char *call =
                g_strconcat(verbs[i].name, arguments[verbs[i].argument].usage, NULL);

            printf("  %-23s  %s\n", call, verbs[i].summary);
        }
        printf("\nOptions:\n"
               "  --json           print JSON, version 1, sizes in bytes\n"
               "  -H, --host=HOST  run folioctl there, by ssh\n"
               "  --help           help; with a verb, on that verb\n"
               "  --version        the version of folioctl\n");
    }
    if (verb == NULL || (verb->argument != GUEST_NONE && verb->argument != FILE_MUST))
        printf(
            "\nGUEST is a UUID or a name. What is the UUID of one guest and the name of another is\n"
            "refused.\n");
    printf("\n%s\nStates, reasons and figures are those of the D-Bus interface:\n%s\n",
           exit_statuses, FOLIO_INTERFACE_XML);
}

/* Each line of text with the program's name before it; foreign parts are made harmless. */
static void
complain(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line != NULL; line++) {
        g_autofree char *escaped = folio_escape(*line);

        if (**line != '\0')
            fprintf(stderr, "folioctl: %s\n", escaped);
    }
}

static FolioExitStatus wrong_usage(const char *format, ...) G_GNUC_PRINTF(1, 2);

static FolioExitStatus
wrong_usage(const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    complain(text);
    fprintf(stderr, "folioctl: see folioctl --help\n");
    return FOLIO_EXIT_USAGE;
}

static const Verb *
find_verb(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (g_str_equal(name, verbs[i].name))
            return &verbs[i];
    }
    return NULL;
}

static gboolean
parse_options(int argc, char **argv, Options *options, GError **error)
{
    /* Words as bytes: the conversion from the locale's encoding would refuse a guest's name in the
     * C locale. */
    const GOptionEntry entries[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &options->json, NULL, NULL },
        { "help", 'h', 0, G_OPTION_ARG_NONE, &options->help, NULL, NULL },
        { "version", 0, 0, G_OPTION_ARG_NONE, &options->version, NULL, NULL },
        { "all", 0, 0, G_OPTION_ARG_NONE, &options->all, NULL, NULL },
        { "host", 'H', 0, G_OPTION_ARG_STRING, &options->host, NULL, NULL },
        { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->words, NULL, NULL },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_set_help_enabled(context, FALSE);
    folio_analyze_add_options(context, &options->analyze);
    folio_picture_add_options(context, &options->picture);
    folio_heat_add_options(context, &options->heat);
    folio_act_add_options(context, &options->act);
    g_option_context_add_main_entries(context, entries, NULL);
    return g_option_context_parse(context, &argc, &argv, error);
}

static void
look_at_terminal(FolioInvocation *invocation)
{
    const char *no_colour = getenv("NO_COLOR"); /* https://no-color.org */
    const char *terminal = getenv("TERM");
    struct winsize size = { 0 };

    if (!isatty(STDOUT_FILENO))
        return;
    invocation->coloured = (no_colour == NULL || *no_colour == '\0') && terminal != NULL &&
                           !g_str_equal(terminal, "dumb");
    invocation->symbols = g_get_charset(NULL);
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        invocation->width = size.ws_col;
}

static FolioExitStatus
run(const Verb *verb, FolioInvocation *invocation)
{
    g_autoptr(FolioClient) client = NULL;
    g_autoptr(GError) error = NULL;
    FolioExitStatus status = FOLIO_EXIT_FAILED;

    look_at_terminal(invocation);
    if (verb->argument != FILE_MUST)
        client = folio_client_new(isatty(STDIN_FILENO), &error);
    /* GIO ignores SIGPIPE from here on; "folioctl list | head" is to end quietly. */
    signal(SIGPIPE, SIG_DFL);
    if (error == NULL) {
        invocation->client = client;
        status = verb->run(invocation, &error);
    }
    if (error != NULL) {
        complain(error->message);
        return folio_client_exit_status(error);
    }
    return status;
}

static FolioExitStatus
dispatch_file(const Verb *verb, const Options *options, FolioInvocation *invocation)
{
    const char *wrong = folio_analyze_options_contradict(invocation);

    if (wrong != NULL)
        return wrong_usage("%s: %s", verb->name, wrong);
    invocation->file = options->words[1];
    return run(verb, invocation);
}

/* An option that was given and is not the verb's; NULL when there is none. */
static const char *
find_stray(const Verb *verb, const Options *options)
{
    const struct {
        const char *name;
        gboolean given;
        guint of;
    } table[] = {
        { "--svg", options->picture.svg != NULL, TAKES_PICTURE },
        { "--png", options->picture.png != NULL, TAKES_PICTURE },
        { "--force", options->picture.force, TAKES_PICTURE | TAKES_SPARSE },
        { "--by", options->heat.by_given, TAKES_BY },
        { "--block", options->heat.block >= 0, TAKES_BLOCK },
        { "--top", options->heat.top >= 0, TAKES_BLOCK },
        { "--order", options->act.order >= 0, TAKES_ORDER },
        { "--restore", options->act.restore, TAKES_RESTORE },
        { "--sparse", options->act.sparse, TAKES_SPARSE },
        { "--all", options->all, TAKES_ALL },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
        if (table[i].given && !(verb->takes & table[i].of))
            return table[i].name;
    }
    return NULL;
}

/* Which blocks a job is for has to be said, and in one way: never all of a guest by accident. */
static const char *
contradict_blocks(const Options *options)
{
    const guint ways =
        (g_strv_length(options->words) > 2) + options->act.sparse + (options->all ? 1 : 0);

    if (ways == 0)
        return "which blocks? Name a RANGE, or --all for all of the guest";
    return ways > 1 ? "ranges, --sparse or --all: only one of them" : NULL;
}

/* What is wrong with the options of the verb; NULL when nothing is. */
static const char *
contradict(const Verb *verb, const Options *options)
{
    if (verb->argument != FILE_MUST && folio_analyze_options_given(&options->analyze))
        return "such options are for analyze";
    if (verb->argument == GUEST_AND_BLOCKS)
        return contradict_blocks(options);
    if (options->picture.force && !folio_picture_options_given(&options->picture))
        return "--force is for --svg and --png";
    if (options->heat.block >= 0 && options->heat.top >= 0)
        return "--block or --top, not both";
    if (verb->takes & TAKES_BY && options->json && folio_picture_options_given(&options->picture))
        return "--json or a picture, not both";
    if (verb->run == folio_cmd_metrics && options->json)
        return "their format is not JSON; status and list have it";
    return NULL;
}

static FolioExitStatus
dispatch_verb(const Verb *verb, const Options *options, FolioInvocation *invocation)
{
    guint n = g_strv_length(options->words) - 1;

    if (n > arguments[verb->argument].max)
        return wrong_usage("%s: \"%s\" is one word too many", verb->name, options->words[n]);
    if (n < arguments[verb->argument].min)
        return wrong_usage(
            "%s: which %s?", verb->name,
            n == 0 && verb->argument != FILE_MUST ? "guest" : arguments[verb->argument].missing);
    if (find_stray(verb, options) != NULL)
        return wrong_usage("%s: takes no option %s", verb->name, find_stray(verb, options));
    if (contradict(verb, options) != NULL)
        return wrong_usage("%s: %s", verb->name, contradict(verb, options));
    if (verb->argument == FILE_MUST)
        return dispatch_file(verb, options, invocation);
    for (guint i = 1; i <= n; i++) {
        if (!g_utf8_validate(options->words[i], -1, NULL))
            return wrong_usage("%s: \"%s\" is not UTF-8", verb->name, options->words[i]);
    }
    invocation->guest = n > 0 ? options->words[1] : NULL;
    invocation->words = (const char *const *) options->words + MIN(n, 1) + 1;
    return run(verb, invocation);
}

static FolioExitStatus
dispatch(const Options *options)
{
    const char *name = options->words != NULL ? options->words[0] : NULL;
    const Verb *verb = name != NULL ? find_verb(name) : NULL;
    FolioInvocation invocation = { .json = options->json,
                                   .analyze = &options->analyze,
                                   .picture = &options->picture,
                                   .heat = &options->heat,
                                   .order = (guint) MAX(options->act.order, 0),
                                   .sparse = options->act.sparse,
                                   .force = options->picture.force,
                                   .all = options->all,
                                   .restore = options->act.restore };

    if (options->version) {
        printf("folioctl %s\n", FOLIO_VERSION);
        return FOLIO_EXIT_OK;
    }
    if (name != NULL && verb == NULL)
        return wrong_usage("there is no verb \"%s\"", name);
    if (options->help) {
        print_help(verb);
        return FOLIO_EXIT_OK;
    }
    if (verb == NULL)
        return wrong_usage("which verb?");
    return dispatch_verb(verb, options, &invocation);
}

int
main(int argc, char **argv)
{
    g_auto(Options) options = { 0 };
    g_auto(GStrv) all = g_strdupv(argv);
    g_autoptr(GError) error = NULL;
    FolioExitStatus status;

    /* For the terminal's encoding; numbers and messages stay as they are. */
    setlocale(LC_CTYPE, "");
    if (!parse_options(argc, argv, &options, &error))
        return wrong_usage("%s", error->message);
    if (options.host != NULL)
        return folio_run_on_host(options.host, all + 1);
    status = dispatch(&options);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain("standard output could not be written");
        return FOLIO_EXIT_FAILED;
    }
    return status;
}
