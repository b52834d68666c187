/* Uses the installed library: y = [[1, 1]] [[1], [1]] = 2; prints the element type. */
#include <marea.h>
#include <stdio.h>

int main(void) {
  marea_tensor *a = marea_tensor_new(MAREA_REAL, 2, (int64_t[]){1, 2});
  marea_tensor *b = marea_tensor_new(MAREA_REAL, 2, (int64_t[]){2, 1});
  marea_tensor_fill(a, 1);
  marea_tensor_fill(b, 1);
  marea_tensor *y = marea_matmul(a, b);
  int right = y != NULL && marea_tensor_get(y, 0) == 2;
  printf("%s %s\n", MAREA_REAL_NAME, right ? "right" : "wrong");
  marea_tensor_free(a);
  marea_tensor_free(b);
  marea_tensor_free(y);
  return !right;
}
