/* The worker asks for a static library of this name; the code itself comes from the system. */
