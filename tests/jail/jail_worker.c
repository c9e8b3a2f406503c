/* SPDX-License-Identifier: MIT */
/* jail_worker.c -- a worker without Python: does what the request says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/jail.h"

static int run(void *ctx, const struct jail_run *run)
{
    (void)ctx;
    if (run->request_len == 5 && memcmp(run->request, "hello", 5) == 0) {
        printf("hello pid %d\n", (int)getpid());
        fflush(stdout);
        return 7;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct jail *jail;
    struct cwm_err err;
    const struct jail_callbacks callbacks = {.run = run};

    if (jail_enter(argc, argv, &jail, &err) != CWM_OK) {
        return 1;
    }
    return jail_serve(jail, "hello", &callbacks, NULL, &err) != CWM_OK;
}
