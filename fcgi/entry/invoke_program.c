/* berthd-invoke: the program of the invoke workers, which the master starts. */
#include "entry/entry.h"

static const entry_main_fn mains[CHILD_ROLE_COUNT] = {[CHILD_INVOKE] = invoke_main};

int main(int argc, char **argv)
{
	return entry_child(argc, argv, mains);
}
