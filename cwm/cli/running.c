/* SPDX-License-Identifier: MIT */
/* running.c -- from options to how programs are run. */
#include "cwm/cli/running.h"

#include "cwm/base/io.h"
#include "cwm/cli/cli.h"

enum { MAX_SETTINGS_BYTES = 1 << 16 };

static int allow_walls(const char *command, const struct opt_list *list,
                       uint32_t *ret_mask)
{
    const char *names[SANDBOX_N_WALLS];

    for (int i = 0; i < SANDBOX_N_WALLS; i++) {
        names[i] = sandbox_wall_name((enum sandbox_wall)i);
    }
    *ret_mask = 0;
    for (size_t i = 0; i < list->n; i++) {
        int wall = sandbox_wall_find(list->values[i]);
        const char *near;

        if (wall < 0) {
            near = opt_nearest(list->values[i], names, SANDBOX_N_WALLS);
            return cli_usage(command,
                             "there is no wall '%.60s'%s%s%s\n'cwm check' "
                             "lists them",
                             list->values[i], near ? "; did you mean '" : "",
                             near ? near : "", near ? "'?" : "");
        }
        *ret_mask |= UINT32_C(1) << wall;
    }
    return -1;
}

int running_tracer(const char *command, const struct running_fields *f,
                   struct tracer_options *ret_options)
{
    *ret_options = (struct tracer_options){
        .python = f->python,
        .max_trace_bytes = f->limits.max_trace_bytes,
    };
    return allow_walls(command, &f->allow_missing, &ret_options->allow_missing);
}

int running_programs(const char *command, const char *path,
                     struct generate_settings *ret_settings)
{
    struct cwm_buf text;
    struct cwm_err err;
    enum cwm_rc rc;

    generate_settings_default(ret_settings);
    if (!path) {
        return -1;
    }
    cwm_buf_init(&text, MAX_SETTINGS_BYTES);
    rc = io_read_file(path, &text, &err);
    if (rc == CWM_OK) {
        rc = generate_settings_read(text.data ? text.data : "", text.len,
                                    ret_settings, &err);
        if (rc != CWM_OK) {
            cwm_err_context(&err, "%s", path);
        }
    }
    cwm_buf_release(&text);
    return rc == CWM_OK ? -1 : cli_fail(command, &err);
}

void running_say_missing(const char *command, uint32_t walls)
{
    for (int i = 0; i < SANDBOX_N_WALLS; i++) {
        if (walls & UINT32_C(1) << i) {
            cli_say("cwm %s: runs without the wall '%s' of the jail (%s)",
                    command, sandbox_wall_name((enum sandbox_wall)i),
                    sandbox_wall_what((enum sandbox_wall)i));
        }
    }
}
