//! Matrix products on the CPU with weights in bf16 and below.
