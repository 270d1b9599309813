/** Numbers as people read them: 3840 -> "3,840". (Intl is a long task by itself.) */
export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}
