//! LLaVA-Bench: COCO and In the Wild.
