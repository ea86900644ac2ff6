// SPDX-License-Identifier: GPL-2.0
// A module that no kernel brings.

#include <linux/module.h>

static int __init greeting_init(void)
{
	pr_info("greeting: hello\n");
	return 0;
}

static void __exit greeting_exit(void)
{
}

module_init(greeting_init);
module_exit(greeting_exit);

MODULE_DESCRIPTION("says hello");
MODULE_LICENSE("GPL");
