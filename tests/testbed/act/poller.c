/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An event loop that counts what its own ppoll returns while others do things to it: reads standard
 * input to its end, and prints "bytes N timeouts N interrupted N wrong N". Its time limit is never
 * reached. What is wrong it tells on standard error. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

int
main(void)
{
    unsigned bytes = 0, timeouts = 0, interrupted = 0, wrong = 0;

    for (;;) {
        struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
        const struct timespec limit = { .tv_sec = 10000 };
        const int ready = ppoll(&input, 1, &limit, NULL);
        char byte;

        if (ready == 1) {
            if (read(STDIN_FILENO, &byte, 1) <= 0)
                break;
            bytes++;
        } else if (ready == 0 && input.revents == 0) {
            timeouts++;
        } else if (ready < 0 && errno == EINTR) {
            interrupted++;
        } else {
            fprintf(stderr, "ppoll returned %d, revents %#x, errno %d\n", ready,
                    (unsigned) input.revents, errno);
            wrong++;
        }
    }
    printf("bytes %u timeouts %u interrupted %u wrong %u\n", bytes, timeouts, interrupted, wrong);
    return 0;
}
