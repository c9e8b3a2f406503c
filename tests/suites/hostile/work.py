# SPDX-License-Identifier: MIT
def double(x):
    return x + x
