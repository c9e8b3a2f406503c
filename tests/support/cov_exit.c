/* SPDX-License-Identifier: MIT */
/*
 * cov_exit.c -- in coverage builds, processes that end by _exit() write their
 * counts, too: a traced run always does.  Linked with --wrap=_exit into the
 * programs that run the worker without a jail.
 */
void __gcov_dump(void); /* libgcov */
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}
