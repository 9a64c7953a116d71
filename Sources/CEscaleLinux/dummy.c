int c_escale_dummy(void){return 0;}
