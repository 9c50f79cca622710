mod coverage;
mod world;
